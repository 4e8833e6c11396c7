/* limit: what the machine can do at all. A TFTP server that does nothing but send packets cut
 * beforehand: epoll, one socket a transfer, no timers. A client that misses something says so by
 * repeating its request or ACK.
 *
 *   limit [--spoil OFFSET] ADDRESS PORT FILE...
 *
 * Serves each FILE by the last part of its path. --spoil turns one byte of each of them over.
 * RFC 1350, and of the options (RFC 2347) blksize (RFC 2348) and windowsize (RFC 7440); a window is
 * one call with UDP_SEGMENT.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { RRQ = 1, DATA = 3, ACK = 4, ERROR = 5, OACK = 6 };
enum { TRANSFERS_MAX = 1 << 16, BATCH = 256, SEGMENTS_MAX = 64, PAYLOAD_MAX = 65507 };
enum { RECEIVE_BUFFER = 4 << 20 };

/* A file as packets of one blksize, one after the other. */
struct cut {
    uint8_t *packets;
    size_t stride; /* bytes of a full packet */
    size_t bytes;  /* of all packets */
    uint32_t count;
    struct cut *next;
};

struct file {
    const char *name;
    uint8_t *bytes;
    size_t size;
    struct cut *cuts;
};

struct transfer {
    const struct cut *cut;
    uint32_t acked;
    uint32_t window;
    int awaits_oack;
};

static struct file *files;
static size_t file_count;
static struct transfer transfers[TRANSFERS_MAX]; /* by descriptor */
static struct sockaddr_in own;
static int epoll, listener;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory)
        die("malloc");
    return memory;
}

static void load(struct file *file, const char *path, long spoil)
{
    FILE *stream = fopen(path, "rb");
    if (!stream || fseek(stream, 0, SEEK_END))
        die(path);
    file->size = (size_t)ftell(stream);
    rewind(stream);
    file->bytes = allocate(file->size);
    if (fread(file->bytes, 1, file->size, stream) != file->size)
        die(path);
    fclose(stream);
    if (spoil >= 0 && (size_t)spoil < file->size)
        file->bytes[spoil] ^= 0xff;
    const char *slash = strrchr(path, '/');
    file->name = slash ? slash + 1 : path;
    file->cuts = NULL;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(((const struct file *)one)->name, ((const struct file *)other)->name);
}

static const struct cut *cut_of(struct file *file, size_t blksize)
{
    for (struct cut *cut = file->cuts; cut; cut = cut->next)
        if (cut->stride == blksize + 4)
            return cut;
    struct cut *cut = allocate(sizeof *cut);
    cut->stride = blksize + 4;
    cut->count = (uint32_t)(file->size / blksize + 1);
    cut->bytes = file->size + 4 * (size_t)cut->count;
    cut->packets = allocate(cut->bytes);
    for (uint32_t block = 1; block <= cut->count; block++) {
        uint8_t *packet = cut->packets + (block - 1) * cut->stride;
        size_t offset = (block - 1) * blksize;
        size_t length = file->size - offset < blksize ? file->size - offset : blksize;
        packet[0] = 0;
        packet[1] = DATA;
        packet[2] = (uint8_t)(block >> 8);
        packet[3] = (uint8_t)block;
        memcpy(packet + 4, file->bytes + offset, length);
    }
    cut->next = file->cuts;
    return file->cuts = cut;
}

/* A packet that gets lost here is one that the client asks for again. */
static void put(int fd, const uint8_t *bytes, size_t length, size_t stride)
{
    if (length <= stride) {
        (void)!send(fd, bytes, length, 0);
        return;
    }
    char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct iovec piece = {(void *)bytes, length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *segment = CMSG_FIRSTHDR(&message);
    uint16_t size = (uint16_t)stride;
    segment->cmsg_level = SOL_UDP;
    segment->cmsg_type = UDP_SEGMENT;
    segment->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(segment), &size, sizeof size);
    if (sendmsg(fd, &message, 0) < 0 && (errno == EINVAL || errno == EIO))
        die("UDP_SEGMENT");
}

static void send_window(int fd, const struct transfer *transfer)
{
    const struct cut *cut = transfer->cut;
    uint32_t left = cut->count - transfer->acked;
    uint32_t blocks = transfer->window < left ? transfer->window : left;
    size_t start = transfer->acked * cut->stride;
    size_t end = start + blocks * cut->stride;
    if (end > cut->bytes)
        end = cut->bytes;
    size_t most = PAYLOAD_MAX / cut->stride;
    most = (most < SEGMENTS_MAX ? most : SEGMENTS_MAX) * cut->stride;
    for (; start < end; start += most)
        put(fd, cut->packets + start, end - start < most ? end - start : most, cut->stride);
}

static void end(int fd)
{
    transfers[fd].cut = NULL;
    close(fd);
}

static void acknowledged(int fd)
{
    uint8_t packet[516];
    ssize_t length = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return;
    struct transfer *transfer = &transfers[fd];
    if (length < 4 || packet[1] == ERROR) {
        end(fd);
        return;
    }
    uint16_t number = (uint16_t)(packet[2] << 8 | packet[3]);
    uint32_t ahead = (uint16_t)(number - (uint16_t)transfer->acked);
    if (packet[1] != ACK || ahead > transfer->window)
        return;
    transfer->acked += ahead;
    if (transfer->acked >= transfer->cut->count)
        end(fd);
    else
        send_window(fd, transfer);
}

/* Reads the options, and writes the OACK; its length, 0 where none was asked for. */
static size_t options(char *string, const char *stop, uint8_t *oack, size_t *blksize, uint32_t *window)
{
    size_t length = 2;
    oack[0] = 0;
    oack[1] = OACK;
    while (string < stop) {
        char *value = string + strlen(string) + 1;
        if (value >= stop)
            break;
        long number = atol(value);
        if (!strcasecmp(string, "blksize") && number >= 8 && number <= 65464)
            *blksize = (size_t)number;
        else if (!strcasecmp(string, "windowsize") && number >= 1 && number <= 65535)
            *window = (uint32_t)number;
        else
            number = 0;
        if (number)
            length += (size_t)sprintf((char *)oack + length, "%s%c%ld", string, 0, number) + 1;
        string = value + strlen(value) + 1;
    }
    return length > 2 ? length : 0;
}

/* A socket of its own for each answer, be it "not found". */
static int open_transfer(const struct sockaddr_in *peer)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || fd >= TRANSFERS_MAX)
        die("socket");
    struct sockaddr_in any_port = own;
    any_port.sin_port = 0;
    if (bind(fd, (struct sockaddr *)&any_port, sizeof any_port) ||
        connect(fd, (const struct sockaddr *)peer, sizeof *peer))
        die("a socket for a transfer");
    return fd;
}

static void refuse(const struct sockaddr_in *peer)
{
    static const uint8_t absent[] = "\0\5\0\1file not found";
    int fd = open_transfer(peer);
    (void)!send(fd, absent, sizeof absent, 0);
    close(fd);
}

static void start(struct file *file, const struct sockaddr_in *peer, char *strings, const char *stop)
{
    static uint8_t oack[2048];
    size_t blksize = 512;
    uint32_t window = 1;
    size_t length = options(strings, stop, oack, &blksize, &window);
    int fd = open_transfer(peer);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
    transfers[fd] = (struct transfer){.cut = cut_of(file, blksize), .window = window};
    if (length)
        (void)!send(fd, oack, length, 0);
    else
        send_window(fd, &transfers[fd]);
}

static void requested(void)
{
    char packet[1024];
    struct sockaddr_in peer;
    for (int count = 0; count < BATCH; count++) {
        socklen_t size = sizeof peer;
        ssize_t length =
            recvfrom(listener, packet, sizeof packet - 2, MSG_DONTWAIT, (struct sockaddr *)&peer, &size);
        if (length < 0)
            return;
        if (length < 4 || packet[1] != RRQ)
            continue;
        packet[length] = packet[length + 1] = 0;
        const char *stop = packet + length;
        char *name = packet + 2, *mode = name + strlen(name) + 1;
        char *strings = mode < stop ? mode + strlen(mode) + 1 : packet + length;
        struct file wanted = {.name = name};
        struct file *file = bsearch(&wanted, files, file_count, sizeof *files, by_name);
        if (file)
            start(file, &peer, strings, stop);
        else
            refuse(&peer);
    }
}

static void listen_at(const char *address, const char *port)
{
    int size = RECEIVE_BUFFER;
    own = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, address, &own.sin_addr) != 1) {
        fprintf(stderr, "limit: %s is no IPv4 address\n", address);
        exit(2);
    }
    listener = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) ||
        bind(listener, (struct sockaddr *)&own, sizeof own))
        die("listener");
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event))
        die("epoll");
}

int main(int argc, char **argv)
{
    long spoil = -1;
    if (argc > 2 && !strcmp(argv[1], "--spoil")) {
        spoil = atol(argv[2]);
        argc -= 2;
        argv += 2;
    }
    if (argc < 4) {
        fprintf(stderr, "usage: limit [--spoil OFFSET] ADDRESS PORT FILE...\n");
        return 2;
    }
    struct rlimit descriptors = {TRANSFERS_MAX, TRANSFERS_MAX};
    if (setrlimit(RLIMIT_NOFILE, &descriptors)) {
        getrlimit(RLIMIT_NOFILE, &descriptors);
        descriptors.rlim_cur = descriptors.rlim_max;
        setrlimit(RLIMIT_NOFILE, &descriptors);
    }
    file_count = (size_t)argc - 3;
    files = allocate(file_count * sizeof *files);
    for (size_t index = 0; index < file_count; index++)
        load(&files[index], argv[index + 3], spoil);
    qsort(files, file_count, sizeof *files, by_name);
    listen_at(argv[1], argv[2]);
    for (;;) {
        struct epoll_event events[BATCH];
        int count = epoll_wait(epoll, events, BATCH, -1);
        for (int index = 0; index < count; index++) {
            int fd = events[index].data.fd;
            if (fd == listener)
                requested();
            else if (transfers[fd].cut)
                acknowledged(fd);
        }
    }
}
