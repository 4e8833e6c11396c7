/* A client: a phone at work, with an address and ports of its own. */
#include "loadgen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 1 << 16, COMPLAINTS_MAX = 5, PORT_LEAST = 10000, PORT_MOST = 60000 };
enum { RECEIVE_BUFFER = 1 << 20 }; /* bytes */

static struct client *clients[CLIENTS_MAX];
static uint32_t client_count;
static struct client waiting = {.earlier = &waiting, .later = &waiting}; /* the ends of the list */

static double clock_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Spread over 127.1.0.1 to 127.97.255.254, neighbours far from each other. */
static uint32_t address_of(size_t number)
{
    uint32_t net = 1 + number % 97, subnet = number / 97 % 256, host = 1 + number / 97 / 256 % 254;
    return 127u << 24 | net << 16 | subnet << 8 | host;
}

struct client *client_new(void)
{
    if (client_count == CLIENTS_MAX) {
        fprintf(stderr, "loadgen: more than %d clients at a time\n", CLIENTS_MAX);
        exit(1);
    }
    struct client *client = allocate(sizeof *client);
    memset(client, 0, sizeof *client);
    client->index = client_count;
    client->tcp = -1;
    for (int port = 0; port < PORTS; port++)
        client->udp[port] = -1;
    return clients[client_count++] = client;
}

static void leave_list(struct client *client)
{
    if (client->earlier) {
        client->earlier->later = client->later;
        client->later->earlier = client->earlier;
        client->earlier = client->later = NULL;
    }
}

void client_progress(struct client *client)
{
    leave_list(client);
    client->heard = now;
    client->later = &waiting;
    client->earlier = waiting.earlier;
    waiting.earlier->later = client;
    waiting.earlier = client;
}

double client_next_deadline(void)
{
    return waiting.later == &waiting ? now + PATIENCE : waiting.later->heard + PATIENCE;
}

void client_expire(void)
{
    while (waiting.later != &waiting && waiting.later->heard + PATIENCE <= now) {
        struct client *client = waiting.later;
        client_progress(client);
        if (++client->tries >= TRIES_MAX) {
            http_close(client);
            client_ended(client, LOST);
        } else if (client->phone->http) {
            if (client->tcp < 0) {
                tally.retries++;
                http_ask(client);
            }
        } else {
            tally.retries++;
            tftp_again(client);
        }
    }
}

/* UDP ports are named: one that the kernel chose would be lost as the socket leaves its peer. */
int client_socket(struct client *client, int type)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(client->address)};
    int on = 1, room = RECEIVE_BUFFER, tries = 0, fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    if (fd < 0)
        die("socket");
    if (settings.window > 1)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room); /* a window must fit */
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    do {
        if (type == SOCK_DGRAM)
            own.sin_port = htons((uint16_t)(PORT_LEAST + random() % (PORT_MOST - PORT_LEAST)));
        if (bind(fd, (struct sockaddr *)&own, sizeof own) == 0)
            return fd;
    } while (errno == EADDRINUSE && tries++ < TRIES_MAX);
    die("bind");
    return -1;
}

void client_watch(struct client *client, int fd, int which, uint32_t events, int again)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)client->index << 8 | (uint64_t)which};
    if (epoll_ctl(epoll, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

const struct step *client_step(const struct client *client)
{
    return &client->phone->steps[client->step];
}

static void ask(struct client *client)
{
    client->asked = clock_now();
    client->answered = client->tries = 0;
    client_progress(client);
    if (client->phone->http)
        http_ask(client);
    else
        tftp_ask(client);
}

void client_begin(struct client *client, const struct phone *phone, size_t number)
{
    uint32_t address = address_of(settings.phone_address ? number : client->index);
    if (address != client->address) {
        http_close(client);
        for (int port = 0; port < PORTS; port++) {
            if (client->udp[port] >= 0)
                close(client->udp[port]);
            client->udp[port] = -1;
        }
        client->address = address;
    }
    for (int port = 0; !phone->http && port < PORTS; port++)
        if (client->udp[port] < 0) {
            /* The edge alone: told once of each packet, which is all that lock-step needs. */
            client->udp[port] = client_socket(client, SOCK_DGRAM);
            client->connected[port] = 0;
            client_watch(client, client->udp[port], port, EPOLLIN | EPOLLET, 0);
        }
    client->phone = phone;
    client->step = 0;
    client->busy = 1;
    ask(client);
}

void client_first(struct client *client)
{
    if (!client->answered)
        tally_time(&tally.first, clock_now() - client->asked);
    client->answered = 1;
}

int client_check(struct client *client, size_t offset, const uint8_t *bytes, size_t length)
{
    static int complaints;
    const struct step *step = client_step(client);
    size_t size = step->file->size;
    if (offset <= size && length <= size - offset && !memcmp(step->file->bytes + offset, bytes, length))
        return 1;
    if (complaints++ < COMPLAINTS_MAX)
        fprintf(stderr, "loadgen: %s: wrong bytes at %zu or behind (%zu were sent)\n", step->name, offset,
                length);
    return 0;
}

void client_ended(struct client *client, enum outcome outcome)
{
    switch (outcome) {
    case WHOLE: tally.transfers++; break;
    case MISSING: tally.missing++; break;
    case REFUSED: tally.refused++; break;
    case WRONG: tally.wrong++; break;
    case LOST: tally.lost++; break;
    }
    if (outcome == WHOLE || outcome == MISSING)
        tally_time(&tally.whole, clock_now() - client->asked);
    if (++client->step < client->phone->count) {
        ask(client);
        return;
    }
    tally.boots++;
    client->busy = 0;
    leave_list(client);
    client_done(client);
}

void client_ready(uint32_t index, int which)
{
    struct client *client = clients[index];
    if (which < PORTS)
        tftp_ready(client, which);
    else
        http_ready(client);
}
