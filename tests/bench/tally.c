/* What is counted, and how it is told: a line of JSON. */
#include "loadgen.h"

#include <math.h>

/* 32 places for each doubling: a time is told to 3 %. */
static size_t place(double seconds)
{
    uint64_t ns = seconds > 0 ? (uint64_t)(seconds * 1e9) : 0;
    if (ns < 32)
        return (size_t)ns;
    int power = 63 - __builtin_clzll(ns);
    return (size_t)(power - 4) * 32 + ((ns >> (power - 5)) & 31);
}

static double middle(size_t place)
{
    if (place < 32)
        return (double)place * 1e-9;
    return ldexp(32.5 + (double)(place % 32), (int)(place / 32) - 1) * 1e-9;
}

void tally_time(struct histogram *histogram, double seconds)
{
    histogram->counts[place(seconds)]++;
    histogram->total++;
    if (seconds > histogram->most)
        histogram->most = seconds;
}

static double percentile(const struct histogram *histogram, double share)
{
    uint64_t below = 0, wanted = (uint64_t)(share * (double)histogram->total);
    for (size_t index = 0; index < sizeof histogram->counts / sizeof *histogram->counts; index++) {
        below += histogram->counts[index];
        if (below > wanted)
            return middle(index);
    }
    return histogram->most;
}

static void print_histogram(const char *name, const struct histogram *histogram)
{
    printf(", \"%s_ms\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}", name,
           percentile(histogram, 0.50) * 1e3, percentile(histogram, 0.90) * 1e3,
           percentile(histogram, 0.99) * 1e3, histogram->most * 1e3);
}

void tally_print(const struct tally *tally, const char *event, double seconds, double cpu)
{
    printf("{\"event\": \"%s\", \"seconds\": %.4f, \"cpu_s\": %.4f", event, seconds, cpu);
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {
        {"boots", tally->boots},     {"transfers", tally->transfers}, {"missing", tally->missing},
        {"bytes", tally->bytes},     {"retries", tally->retries},     {"lost", tally->lost},
        {"refused", tally->refused}, {"wrong", tally->wrong},         {"reconnects", tally->reconnects},
    };
    for (size_t index = 0; index < sizeof counts / sizeof *counts; index++)
        printf(", \"%s\": %llu", counts[index].name, (unsigned long long)counts[index].count);
    print_histogram("first", &tally->first);
    print_histogram("whole", &tally->whole);
    printf("}\n");
    fflush(stdout);
}
