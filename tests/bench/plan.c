/* The plan: a text file of lines.
 *
 *   file PATH                       a file as phones must get it; numbered from 0
 *   phone tftp|http NAME=N ...      a phone, and the files that it asks for in turn: NAME is file N,
 *   phone tftp|http NAME=- ...      or must not be found
 */
#include "loadgen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void wrong_line(size_t number)
{
    fprintf(stderr, "loadgen: plan line %zu is wrong\n", number);
    exit(2);
}

/* Room for one more element behind `count` of them, doubled when it is used up. */
static void *grown(void *elements, size_t count, size_t size)
{
    if (count & (count - 1))
        return elements;
    void *more = realloc(elements, (count ? 2 * count : 1) * size);
    if (!more)
        die("realloc");
    return more;
}

static struct file map_file(const char *path)
{
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about))
        die(path);
    struct file file = {.size = (size_t)about.st_size};
    if (file.size) {
        void *bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        if (bytes == MAP_FAILED)
            die(path);
        file.bytes = bytes;
    }
    close(fd);
    return file;
}

static struct step read_step(char *word, struct file *const *files, size_t count, size_t line)
{
    char *equals = strrchr(word, '=');
    if (!equals || equals - word > ASKED_MAX)
        wrong_line(line);
    *equals = 0;
    struct step step = {.name = strdup(word), .file = NULL};
    if (strcmp(equals + 1, "-")) {
        size_t number = strtoul(equals + 1, NULL, 10);
        if (number >= count)
            wrong_line(line);
        step.file = files[number];
    }
    return step;
}

static struct phone read_phone(char *words, struct file *const *files, size_t count, size_t line)
{
    struct step *steps = NULL;
    struct phone phone = {0};
    char *transport = strtok(words, " "), *word;
    if (!transport)
        wrong_line(line);
    phone.http = !strcmp(transport, "http");
    while ((word = strtok(NULL, " "))) {
        steps = grown(steps, phone.count, sizeof *steps);
        steps[phone.count++] = read_step(word, files, count, line);
    }
    if (!phone.count)
        wrong_line(line);
    phone.steps = steps;
    return phone;
}

void plan_read(struct plan *plan, const char *path)
{
    struct file **files = NULL;
    size_t count = 0, number = 0, room = 0;
    char *line = NULL;
    FILE *stream = fopen(path, "r");
    if (!stream)
        die(path);
    *plan = (struct plan){0};
    while (getline(&line, &room, stream) > 0) {
        number++;
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "file ", 5)) {
            files = grown(files, count, sizeof *files);
            files[count] = allocate(sizeof **files);
            *files[count++] = map_file(line + 5);
        } else if (!strncmp(line, "phone ", 6)) {
            plan->phones = grown(plan->phones, plan->count, sizeof *plan->phones);
            plan->phones[plan->count++] = read_phone(line + 6, files, count, number);
        } else {
            wrong_line(number);
        }
    }
    fclose(stream);
    free(line);
    free(files);
    if (!plan->count)
        wrong_line(number);
}
