/* The TFTP of a client (RFC 1350, 2347, 2348, 7440). */
#include "loadgen.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { RRQ = 1, DATA = 3, ACK = 4, ERROR = 5, OACK = 6 };
enum { NOT_FOUND = 1 };
enum { DATAGRAM_MAX = 65536 };

/* What does not go out counts as lost on the way. */
static void out(struct client *client)
{
    int fd = client->udp[client->port];
    if (client->tid.sin_port)
        (void)!send(fd, client->last, client->last_size, 0);
    else
        sendto(fd, client->last, client->last_size, 0, (const struct sockaddr *)&settings.tftp,
               sizeof settings.tftp);
}

/* From here on the kernel keeps strangers out and tells them so, and no address is looked up for each
 * packet. */
static void lock(struct client *client, const struct sockaddr_in *tid)
{
    client->tid = *tid;
    client->connected[client->port] = 1;
    if (connect(client->udp[client->port], (const struct sockaddr *)tid, sizeof *tid))
        die("connect");
}

static void unlock(struct client *client)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    client->tid = (struct sockaddr_in){0};
    if (client->connected[client->port] && connect(client->udp[client->port], &nobody, sizeof nobody))
        die("connect");
    client->connected[client->port] = 0;
}

static void acknowledge(struct client *client)
{
    client->last[0] = 0;
    client->last[1] = ACK;
    client->last[2] = (uint8_t)(client->block >> 8);
    client->last[3] = (uint8_t)client->block;
    client->last_size = 4;
    client->unacknowledged = 0;
    out(client);
}

/* Ends what the other side takes for a transfer with us (RFC 1350 section 4). */
static void turn_away(int fd, const struct sockaddr_in *from)
{
    static const uint8_t unknown[] = "\0\5\0\5unknown transfer";
    sendto(fd, unknown, sizeof unknown, 0, (const struct sockaddr *)from, sizeof *from);
}

void tftp_ask(struct client *client)
{
    char *request = (char *)client->last;
    client->port = (client->port + 1) % PORTS;
    unlock(client);
    client->block = client->unacknowledged = 0;
    client->offset = 0;
    client->gap = 0;
    client->blksize = 512;
    client->window = 1;
    size_t size = (size_t)sprintf(request, "%c%c%s%coctet", 0, RRQ, client_step(client)->name, 0) + 1;
    if (settings.blksize != 512)
        size += (size_t)sprintf(request + size, "blksize%c%u", 0, settings.blksize) + 1;
    if (settings.window != 1)
        size += (size_t)sprintf(request + size, "windowsize%c%u", 0, settings.window) + 1;
    client->last_size = size;
    out(client);
}

void tftp_again(struct client *client)
{
    if (client->block)
        acknowledge(client);
    else
        out(client);
    tftp_ready(client, client->port); /* two packets at once leave one behind: see the edge in client.c */
}

static void take_options(struct client *client, const char *strings, const char *stop)
{
    while (strings < stop) {
        const char *value = strings + strlen(strings) + 1;
        if (value >= stop)
            return;
        if (!strcasecmp(strings, "blksize"))
            client->blksize = (uint32_t)atoi(value);
        else if (!strcasecmp(strings, "windowsize"))
            client->window = (uint32_t)atoi(value);
        strings = value + strlen(value) + 1;
    }
}

static void take_block(struct client *client, const uint8_t *bytes, size_t length)
{
    if (!client_check(client, client->offset, bytes, length)) {
        turn_away(client->udp[client->port], &client->tid);
        client_ended(client, WRONG);
        return;
    }
    tally.bytes += length;
    client->offset += length;
    client->block++;
    client->unacknowledged++;
    client->gap = client->tries = 0;
    client_progress(client);
    if (length < client->blksize) {
        int whole = client->offset == client_step(client)->file->size;
        acknowledge(client);
        client_ended(client, whole ? WHOLE : WRONG);
    } else if (client->unacknowledged >= client->window) {
        acknowledge(client);
    }
}

static void data(struct client *client, const uint8_t *packet, size_t size)
{
    uint16_t number = (uint16_t)(packet[2] << 8 | packet[3]);
    uint16_t ahead = (uint16_t)(number - (uint16_t)client->block);
    if (ahead == 1) {
        take_block(client, packet + 4, size - 4);
    } else if (ahead == 0) {
        acknowledge(client); /* the server has not heard us */
    } else if (ahead <= client->window && !client->gap) {
        client->gap = 1; /* RFC 7440 section 4: told of at once */
        acknowledge(client);
    }
}

static void heard(struct client *client, int port, uint8_t *packet, size_t size, const struct sockaddr_in *from)
{
    if (size < 4 || from->sin_addr.s_addr != settings.tftp.sin_addr.s_addr)
        return; /* too short, or of a stranger */
    int current = client->busy && !client->phone->http && port == client->port;
    if (!current) {
        if (packet[1] != ERROR)
            turn_away(client->udp[port], from);
        return;
    }
    if (packet[1] == ERROR) {
        int expected = packet[2] == 0 && packet[3] == NOT_FOUND && !client_step(client)->file;
        client_first(client);
        client_ended(client, expected ? MISSING : REFUSED);
        return;
    }
    if (packet[1] != OACK && packet[1] != DATA)
        return;
    if (!client->tid.sin_port && packet[1] == DATA && (packet[2] || packet[3] != 1)) {
        turn_away(client->udp[port], from); /* of a transfer that was given up */
        return;
    }
    client_first(client);
    if (!client->tid.sin_port)
        lock(client, from);
    if (!client_step(client)->file) {
        turn_away(client->udp[port], from);
        client_ended(client, REFUSED);
    } else if (packet[1] == DATA) {
        data(client, packet, size);
    } else if (client->block == 0) {
        packet[size] = 0;
        take_options(client, (const char *)packet + 2, (const char *)packet + size);
        client_progress(client);
        acknowledge(client);
    }
}

/* Takes a batch; whether there may be more. */
static int ready_window(struct client *client, int port)
{
    static uint8_t *packets;
    static struct sockaddr_in from[WINDOW_MAX];
    static struct iovec pieces[WINDOW_MAX];
    static struct mmsghdr messages[WINDOW_MAX];
    if (!packets)
        packets = allocate((size_t)WINDOW_MAX * (DATAGRAM_MAX + 1));
    for (int index = 0; index < WINDOW_MAX; index++) {
        pieces[index] = (struct iovec){packets + (size_t)index * (DATAGRAM_MAX + 1), DATAGRAM_MAX};
        messages[index].msg_hdr = (struct msghdr){.msg_iov = &pieces[index], .msg_iovlen = 1,
                                                  .msg_name = &from[index], .msg_namelen = sizeof *from};
    }
    int count = recvmmsg(client->udp[port], messages, WINDOW_MAX, MSG_DONTWAIT, NULL);
    for (int index = 0; index < count; index++)
        heard(client, port, pieces[index].iov_base, messages[index].msg_len, &from[index]);
    return count == WINDOW_MAX;
}

void tftp_ready(struct client *client, int port)
{
    static uint8_t packet[DATAGRAM_MAX + 1];
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    if (settings.window > 1) {
        while (ready_window(client, port))
            ;
        return;
    }
    ssize_t size;
    if (client->tid.sin_port && port == client->port) {
        from = client->tid; /* the kernel lets nobody else through */
        size = recv(client->udp[port], packet, DATAGRAM_MAX, MSG_DONTWAIT);
    } else {
        size = recvfrom(client->udp[port], packet, DATAGRAM_MAX, MSG_DONTWAIT, (struct sockaddr *)&from,
                        &length);
    }
    if (size > 0)
        heard(client, port, packet, (size_t)size, &from);
}
