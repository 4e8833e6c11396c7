/* A lane: one socket that is lent to a transfer, and how it answers the usual ACK. Nothing here waits. */
#ifndef LANE_H
#define LANE_H

#include <Python.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "_pieces.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { DATA = 3, ACK = 4, HEADER = 4 };
enum { DATAGRAM = 1, GONE, DONE, HUNGRY }; /* what is told of a lane: see told.py */
enum {
    HEARD_MAX = 2048,      /* bytes: an ACK, or an ERROR with its text */
    SMALL_MAX = 2048,      /* bytes of a block */
    SEGMENTS_MAX = 64,     /* of one call */
    SEGMENTED_MAX = 65000, /* bytes of one call: below 64 KiB with all headers */
    BLKSIZE_MAX = 65464,
    WINDOW_MAX = 65535,
};

struct Pump;

/* Blocks count from 1 and without bound; on the wire they have 16 bits (RFC 1350). Headers are written
 * as a packet leaves, so that a file is never cut beforehand. */
typedef struct {
    PyObject_HEAD
    struct Pump *pump;
    int fd; /* of a socket that is connected to the peer; not owned; -1 when closed */
    PyObject *owner;      /* NULL: not lent */
    uint64_t base, top;   /* the last block acknowledged, and sent */
    uint64_t end, last;   /* the last block that is here; the last of the file, 0 where not known yet */
    uint64_t low;         /* unsent blocks at which it is told that more are wanted */
    uint32_t blksize, window;
    double interval;      /* s from a packet until its answer is due */
    double sent, due;     /* the moment of the last packet; of its answer */
    char armed;           /* the usual ACK is answered here */
    char told;            /* that more is wanted */
    char unsegmented;     /* UDP_SEGMENT was refused */
    Pieces pieces;
} Lane;

static void header(uint8_t *bytes, uint64_t number)
{
    bytes[0] = 0;
    bytes[1] = DATA;
    bytes[2] = (uint8_t)(number >> 8);
    bytes[3] = (uint8_t)number;
}

static int find(const Lane *lane, uint64_t number, struct iovec *payload)
{
    return pieces_find(&lane->pieces, number, lane->blksize, payload);
}

static int unable(int fault)
{
    return fault == EINVAL || fault == EIO || fault == EMSGSIZE || fault == EOPNOTSUPP || fault == ENOPROTOOPT;
}

/* One small block, which it takes less time to copy than to have the kernel gather. 0, or an errno. */
static int put_small(Lane *lane, uint64_t number)
{
    uint8_t packet[HEADER + SMALL_MAX];
    struct iovec payload;
    if (!find(lane, number, &payload))
        return 0;
    header(packet, number);
    memcpy(packet + HEADER, payload.iov_base, payload.iov_len);
    return send(lane->fd, packet, HEADER + payload.iov_len, MSG_DONTWAIT) < 0 ? errno : 0;
}

/* Up to SEGMENTS_MAX blocks in one datagram that the kernel cuts, or one as it is. 0, or an errno. */
static int put(Lane *lane, uint64_t number, unsigned blocks)
{
    uint8_t headers[SEGMENTS_MAX][HEADER];
    struct iovec parts[2 * SEGMENTS_MAX];
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr align;
    } control;
    for (unsigned index = 0; index < blocks; index++) {
        header(headers[index], number + index);
        parts[2 * index] = (struct iovec){headers[index], HEADER};
        if (!find(lane, number + index, &parts[2 * index + 1]))
            return 0;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2 * blocks};
    if (blocks > 1) {
        uint16_t size = (uint16_t)(lane->blksize + HEADER);
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *segment = CMSG_FIRSTHDR(&message);
        segment->cmsg_level = IPPROTO_UDP;
        segment->cmsg_type = UDP_SEGMENT;
        segment->cmsg_len = CMSG_LEN(sizeof size);
        memcpy(CMSG_DATA(segment), &size, sizeof size);
    }
    return sendmsg(lane->fd, &message, MSG_DONTWAIT) < 0 ? errno : 0;
}

/* The blocks behind `top`, as far as the window goes and they are here. -1 when the peer's port is
 * closed. What the network does not take is as if lost on the way: it is sent again when its time comes. */
static int fill(Lane *lane, double now)
{
    if (!lane->armed)
        return 0;
    uint64_t until = lane->base + lane->window;
    if (until > lane->end)
        until = lane->end;
    if (until <= lane->top) {
        if (lane->top == lane->base)
            lane->due = INFINITY; /* it is our own source that is late, not the peer */
        return 0;
    }
    unsigned most = SEGMENTED_MAX / (lane->blksize + HEADER);
    most = most < 1 ? 1 : most > SEGMENTS_MAX ? SEGMENTS_MAX : most;
    uint64_t number = lane->top + 1;
    while (number <= until) {
        unsigned blocks = lane->unsegmented ? 1 : most;
        if (blocks > until - number + 1)
            blocks = (unsigned)(until - number + 1);
        int small = blocks == 1 && lane->blksize <= SMALL_MAX;
        int fault = small ? put_small(lane, number) : put(lane, number, blocks);
        if (fault == ECONNREFUSED)
            return -1;
        if (fault && blocks > 1 && unable(fault)) {
            lane->unsegmented = 1; /* this device, or this kernel, does not: one by one from now on */
            continue;
        }
        number += blocks;
    }
    lane->top = until;
    lane->sent = now;
    lane->due = now + lane->interval;
    return 0;
}

static int wants(const Lane *lane)
{
    return !lane->last && lane->end - lane->top <= lane->low;
}

/* Takes one datagram. What is to be told of it, with the datagram itself where that is DATAGRAM; 0 for
 * nothing, -1 where nothing had come. */
static int step(Lane *lane, double now, uint8_t *bytes, ssize_t *length)
{
    *length = recv(lane->fd, bytes, HEARD_MAX, MSG_DONTWAIT);
    if (*length < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return -1;
        return errno == ECONNREFUSED && lane->owner ? GONE : 0;
    }
    if (!lane->owner)
        return 0; /* for the transfer before */
    uint64_t top = lane->top;
    if (!lane->armed || top == lane->base || *length != HEADER || bytes[0] || bytes[1] != ACK ||
        bytes[2] != (uint8_t)(top >> 8) || bytes[3] != (uint8_t)top)
        return DATAGRAM;
    lane->base = top;
    if (lane->base == lane->last) {
        lane->due = INFINITY;
        return DONE;
    }
    if (fill(lane, now))
        return GONE;
    pieces_release(&lane->pieces, lane->base);
    if (wants(lane) && !lane->told) {
        lane->told = 1;
        return HUNGRY;
    }
    return 0;
}

#endif
