/* loadgen: keeps many phones busy for a set time or number, each with an address and ports of its own,
 * checks every byte of what they get, and counts what they had to ask for twice. One thread, epoll.
 *
 *   loadgen --tftp ADDRESS:PORT --http ADDRESS:PORT [OPTION VALUE]... PLAN
 *
 *   --clients N      phones at a time, each followed by the next one at once
 *   --rate R         phones a second instead, begun whether others have ended or not
 *   --phones N       phones in all; without it the plan is repeated until the time is over
 *   --warmup S       seconds before measuring begins
 *   --seconds S      seconds of measuring, at most
 *   --report S       seconds between two reports; each counts from the one before
 *   --blksize B      bytes asked for, 512 without the option
 *   --windowsize W   blocks asked for, 1 without the option
 *   --keep-alive 1   one HTTP connection a client
 *   --phone-address 1   an address for each phone of the plan, not for each client
 *
 * Prints lines of JSON: {"event": "begin"}, {"event": "report", ...}, {"event": "end", ...}.
 */
#include "loadgen.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum { BATCH = 512, DESCRIPTORS_MAX = 1 << 17 };

struct settings settings = {.blksize = 512, .window = 1};
struct tally tally;
int epoll;
double now;

static struct plan plan;
static size_t wanted_clients = 1, wanted_phones, begun, ended, running;
static double rate, warmup, seconds = 1, interval;
static struct client **idle;
static size_t idle_count, idle_room;

void die(const char *what)
{
    fprintf(stderr, "loadgen: ");
    perror(what);
    exit(1);
}

void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        die("malloc");
    return memory;
}

static void look_at_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    now = (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static int more_phones(void)
{
    return !wanted_phones || begun < wanted_phones;
}

static void next_phone(struct client *client)
{
    size_t number = begun++ % plan.count;
    running++;
    client_begin(client, &plan.phones[number], number);
}

static struct client *rest(struct client *client)
{
    ended++;
    running--;
    if (rate == 0 && more_phones()) {
        next_phone(client);
        return client;
    }
    if (idle_count == idle_room) {
        idle_room = idle_room ? 2 * idle_room : 64;
        idle = realloc(idle, idle_room * sizeof *idle);
        if (!idle)
            die("realloc");
    }
    idle[idle_count++] = client;
    return client;
}

struct client *(*client_done)(struct client *client) = rest;

/* Those whose time has come where phones begin at a rate; else all clients at the start. */
static void begin_due(double elapsed)
{
    size_t due = rate > 0 ? (size_t)(elapsed * rate) + 1 : begun;
    if (rate == 0 && begun == 0)
        due = wanted_clients;
    while (begun < due && more_phones())
        next_phone(idle_count ? idle[--idle_count] : client_new());
}

static void wait_for_answers(double until)
{
    struct epoll_event events[BATCH];
    double deadline = client_next_deadline();
    double patience = deadline < until ? deadline : until;
    if (rate > 0 && more_phones() && patience > now + 0.001)
        patience = now + 0.001;
    int ms = patience > now ? (int)((patience - now) * 1e3) + 1 : 0;
    int count = epoll_wait(epoll, events, BATCH, ms);
    look_at_clock();
    for (int index = 0; index < count; index++)
        client_ready((uint32_t)(events[index].data.u64 >> 8), (int)(events[index].data.u64 & 0xff));
    client_expire();
}

static void run(void)
{
    look_at_clock();
    double start = now, begin = now, last = now, end = now + warmup + seconds, cpu_before = 0;
    int measuring = 0;
    while (now < end && (more_phones() || running)) {
        if (!measuring && now >= start + warmup) {
            measuring = 1;
            begin = last = now;
            end = now + seconds;
            memset(&tally, 0, sizeof tally);
            cpu_before = cpu();
            printf("{\"event\": \"begin\"}\n");
            fflush(stdout);
        }
        begin_due(now - start);
        wait_for_answers(measuring ? end : start + warmup);
        if (measuring && interval > 0 && now >= last + interval && now < end) {
            tally_print(&tally, "report", now - last, cpu() - cpu_before);
            memset(&tally, 0, sizeof tally);
            cpu_before = cpu();
            last = now;
        }
    }
    if (!measuring) {
        fprintf(stderr, "loadgen: all phones were done before measuring began\n");
        exit(1);
    }
    tally_print(&tally, "end", now - (interval > 0 ? last : begin), cpu() - cpu_before);
}

static struct sockaddr_in endpoint(const char *text)
{
    char address[64];
    unsigned port;
    struct sockaddr_in where = {.sin_family = AF_INET};
    if (sscanf(text, "%63[0-9.]:%u", address, &port) != 2 || inet_pton(AF_INET, address, &where.sin_addr) != 1 ||
        port > 65535 || (ntohl(where.sin_addr.s_addr) >> 24) != 127) {
        fprintf(stderr, "loadgen: %s is no address of 127.0.0.0/8 with a port\n", text);
        exit(2);
    }
    where.sin_port = htons((uint16_t)port);
    return where;
}

static void arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"tftp", 1, NULL, 't'},     {"http", 1, NULL, 'h'},       {"clients", 1, NULL, 'c'},
        {"rate", 1, NULL, 'r'},     {"phones", 1, NULL, 'p'},     {"warmup", 1, NULL, 'w'},
        {"seconds", 1, NULL, 's'},  {"report", 1, NULL, 'i'},     {"blksize", 1, NULL, 'b'},
        {"windowsize", 1, NULL, 'n'}, {"keep-alive", 1, NULL, 'k'}, {"phone-address", 1, NULL, 'a'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 't': settings.tftp = endpoint(optarg); break;
        case 'h': settings.http = endpoint(optarg); break;
        case 'c': wanted_clients = strtoul(optarg, NULL, 10); break;
        case 'r': rate = atof(optarg); break;
        case 'p': wanted_phones = strtoul(optarg, NULL, 10); break;
        case 'w': warmup = atof(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'i': interval = atof(optarg); break;
        case 'b': settings.blksize = (uint32_t)atoi(optarg); break;
        case 'n': settings.window = (uint32_t)atoi(optarg); break;
        case 'k': settings.keep_alive = atoi(optarg); break;
        case 'a': settings.phone_address = atoi(optarg); break;
        default: exit(2);
        }
    }
    if (optind != argc - 1) {
        fprintf(stderr, "usage: loadgen [OPTION VALUE]... PLAN\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    arguments(argc, argv);
    struct rlimit descriptors = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};
    if (setrlimit(RLIMIT_NOFILE, &descriptors)) {
        getrlimit(RLIMIT_NOFILE, &descriptors);
        descriptors.rlim_cur = descriptors.rlim_max;
        setrlimit(RLIMIT_NOFILE, &descriptors);
    }
    plan_read(&plan, argv[optind]);
    epoll = epoll_create1(0);
    if (epoll < 0)
        die("epoll");
    run();
    return 0;
}
