/* loadgen: many phones at once, from one thread. What its parts share. */
#ifndef LOADGEN_H
#define LOADGEN_H

#define _GNU_SOURCE
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    PORTS = 2,        /* UDP ports of a client, used in turn: RFC 1350 wants another each time */
    TRIES_MAX = 10,   /* seconds of silence after which a file is lost */
    ASKED_MAX = 255,  /* bytes of a name */
    WINDOW_MAX = 64,  /* packets taken in one call */
    HEAD_MAX = 2048,  /* bytes of an HTTP head */
};
#define PATIENCE 1.0 /* s of silence after which the last packet is sent again */

/* plan.c: what phones ask for, and what they must get. */
struct file {
    const uint8_t *bytes;
    size_t size;
};

struct step {
    const char *name;
    const struct file *file; /* NULL: there must be none */
};

struct phone {
    int http;
    const struct step *steps;
    size_t count;
};

struct plan {
    struct phone *phones;
    size_t count;
};

void plan_read(struct plan *plan, const char *path);

/* tally.c: what is counted between the begin and the end of measuring, or since the last report. */
struct histogram {
    uint32_t counts[64 * 32];
    uint64_t total;
    double most; /* s */
};

struct tally {
    uint64_t boots, transfers, missing, bytes;
    uint64_t retries, lost, refused, wrong, reconnects;
    struct histogram first; /* s from a request to the first packet of its answer */
    struct histogram whole; /* s from a request to the end of its file */
};

void tally_time(struct histogram *histogram, double seconds);
void tally_print(const struct tally *tally, const char *event, double seconds, double cpu);

/* client.c: a phone at work. */
struct client {
    struct client *earlier, *later; /* of those that wait, the one that has waited longest first */
    double heard;                   /* when the last progress was made */
    uint32_t index;
    uint32_t address; /* host order */
    const struct phone *phone;
    size_t step;
    double asked;
    int answered; /* whether the first packet of the answer has come */
    int tries;
    int busy;

    int udp[PORTS];       /* -1 while closed */
    int connected[PORTS]; /* to the TID of the last transfer */
    int port;             /* which of these is in use */
    struct sockaddr_in tid;
    uint32_t block; /* the last one taken in order */
    uint32_t unacknowledged, blksize, window;
    size_t offset;
    uint8_t last[ASKED_MAX + 64]; /* the last packet sent */
    size_t last_size;
    int gap; /* whether the gap before the next block has been told of */

    int tcp; /* -1 while closed */
    int connecting, used;
    size_t head_size, body_size;
    int status;
    char head[HEAD_MAX];
};

struct settings {
    struct sockaddr_in tftp, http;
    uint32_t blksize, window;
    int keep_alive;
    int phone_address; /* an address for each phone of the plan, not for each client */
};

enum outcome { WHOLE, MISSING, REFUSED, WRONG, LOST };

extern struct settings settings;
extern struct tally tally;
extern int epoll;
extern double now; /* s, of the monotonic clock, as of the last look */

struct client *client_new(void);
void client_begin(struct client *client, const struct phone *phone, size_t number);
void client_ready(uint32_t index, int which);
void client_expire(void);
double client_next_deadline(void);
extern struct client *(*client_done)(struct client *client); /* its phone has booted */

/* What client.c and its two protocols owe to each other. */
void client_watch(struct client *client, int fd, int which, uint32_t events, int again);
int client_socket(struct client *client, int type);
void client_progress(struct client *client);
void client_first(struct client *client);
void client_ended(struct client *client, enum outcome outcome);
int client_check(struct client *client, size_t offset, const uint8_t *bytes, size_t length);
const struct step *client_step(const struct client *client);

void tftp_ask(struct client *client);
void tftp_ready(struct client *client, int port);
void tftp_again(struct client *client);

void http_ask(struct client *client);
void http_ready(struct client *client);
void http_close(struct client *client);

void *allocate(size_t size);
void die(const char *what);

#endif
