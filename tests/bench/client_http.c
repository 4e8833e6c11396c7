/* The HTTP of a client: the two lines that phones send, one connection a file or one for all. */
#include "loadgen.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 256 << 10, OK = 200, NOT_FOUND = 404 };

void http_close(struct client *client)
{
    if (client->tcp >= 0)
        close(client->tcp);
    client->tcp = -1;
}

static void send_request(struct client *client)
{
    const uint8_t *to = (const uint8_t *)&settings.http.sin_addr;
    char *request = (char *)client->last;
    int size = sprintf(request, "GET /%s HTTP/1.1\r\nHost:%u.%u.%u.%u:%u\r\n\r\n", client_step(client)->name,
                       to[0], to[1], to[2], to[3], ntohs(settings.http.sin_port));
    client->head_size = 0;
    client->status = 0;
    client->offset = 0;
    if (send(client->tcp, request, (size_t)size, MSG_NOSIGNAL) != size)
        http_close(client); /* the timer asks again */
}

void http_ask(struct client *client)
{
    int on = 1;
    if (client->tcp >= 0) {
        send_request(client);
        return;
    }
    client->tcp = client_socket(client, SOCK_STREAM);
    setsockopt(client->tcp, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client->connecting = 1;
    client->used = 0;
    if (connect(client->tcp, (struct sockaddr *)&settings.http, sizeof settings.http) && errno != EINPROGRESS)
        http_close(client);
    else
        client_watch(client, client->tcp, PORTS, EPOLLOUT, 0);
}

static void connected(struct client *client)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(client->tcp, SOL_SOCKET, SO_ERROR, &error, &size) || error) {
        http_close(client);
        return;
    }
    client->connecting = 0;
    client_watch(client, client->tcp, PORTS, EPOLLIN, 1);
    send_request(client);
}

static void ended(struct client *client)
{
    const struct file *file = client_step(client)->file;
    if (settings.keep_alive && !strcasestr(client->head, "\r\nConnection: close"))
        client->used = 1;
    else
        http_close(client);
    if (file && client->status == OK)
        client_ended(client, WHOLE);
    else
        client_ended(client, !file && client->status == NOT_FOUND ? MISSING : REFUSED);
}

static void body(struct client *client, const uint8_t *bytes, size_t length)
{
    if (length > client->body_size - client->offset)
        length = client->body_size - client->offset;
    if (client->status == OK && client_step(client)->file) {
        if (!client_check(client, client->offset, bytes, length)) {
            http_close(client);
            client_ended(client, WRONG);
            return;
        }
        tally.bytes += length;
    }
    client->offset += length;
    if (client->offset == client->body_size)
        ended(client);
}

/* Adds to the head; how many of the bytes were still its own, 0 while it is not whole. */
static size_t head(struct client *client, const uint8_t *bytes, size_t length)
{
    size_t before = client->head_size, room = HEAD_MAX - 1 - before;
    size_t taken = length < room ? length : room;
    memcpy(client->head + before, bytes, taken);
    client->head[before + taken] = 0;
    client->head_size += taken;
    char *end = strstr(client->head, "\r\n\r\n");
    if (!end)
        return 0;
    end[2] = 0;
    char *field = strcasestr(client->head, "\r\nContent-Length:");
    const struct file *file = client_step(client)->file;
    client->status = strlen(client->head) > 9 ? atoi(client->head + 9) : 0;
    client->body_size = field ? strtoul(field + 17, NULL, 10) : 0;
    if (client->status == OK && file && client->body_size != file->size)
        client->status = -1;
    return (size_t)(end - client->head) + 4 - before;
}

void http_ready(struct client *client)
{
    static uint8_t bytes[PIECE];
    if (client->tcp < 0 || !client->busy)
        return;
    if (client->connecting) {
        connected(client);
        return;
    }
    ssize_t size = recv(client->tcp, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return;
    if (size <= 0) {
        http_close(client);
        if (client->used && client->head_size == 0) {
            tally.reconnects++; /* the server may end a kept connection at any time */
            http_ask(client);
        }
        return;
    }
    client_progress(client);
    client_first(client);
    client->tries = 0;
    size_t start = 0;
    if (!client->status) {
        start = head(client, bytes, (size_t)size);
        if (!start) {
            if (client->head_size == HEAD_MAX - 1) {
                http_close(client);
                client_ended(client, REFUSED);
            }
            return;
        }
    }
    body(client, bytes + start, (size_t)size - start);
}
