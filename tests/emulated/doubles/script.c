#define _GNU_SOURCE
#include "script.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_SETTINGS 64
#define MAX_VALUE 8192

/* One slot a name, so that a returned pointer stays valid while other settings are read. */
static struct {
    char name[32];
    char value[MAX_VALUE];
} slots[MAX_SETTINGS];

static uint32_t model_bytes_now;
static void *volatile unmapped; /* volatile: or the compiler sees the null and refuses */

void script_use_model(uint32_t model_bytes) { model_bytes_now = model_bytes; }

static char *slot_of(const char *name) {
    for (int i = 0; i < MAX_SETTINGS; i++) {
        if (slots[i].name[0] == '\0')
            snprintf(slots[i].name, sizeof slots[i].name, "%s", name);
        if (strcmp(slots[i].name, name) == 0)
            return slots[i].value;
    }
    abort(); /* more settings than slots: a fault of the double itself */
}

static const char *text_in_file(const char *path, const char *name) {
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    size_t length = strlen(name);
    char *value = slot_of(name), line[MAX_VALUE + 64];
    const char *found = NULL;
    while (!found && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, length) != 0 || line[length] != '=')
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(value, MAX_VALUE, "%s", line + length + 1);
        found = value;
    }
    fclose(file);
    return found;
}

const char *script_text(const char *name) {
    char key[64], path[4096];
    snprintf(key, sizeof key, "RKNN_DOUBLE_%s", name);
    const char *value = getenv(key), *script = getenv("RKNN_DOUBLE_SCRIPT");
    if (value || !script)
        return value;
    if (model_bytes_now) {
        snprintf(path, sizeof path, "%s.%u", script, model_bytes_now);
        value = text_in_file(path, name);
    }
    return value ? value : text_in_file(script, name);
}

int64_t script_number(const char *name, int64_t otherwise) {
    const char *value = script_text(name);
    return value ? strtoll(value, NULL, 0) : otherwise;
}

/* The start of item `nth` of a list, or of its last item where the list is shorter. */
static const char *item_at(const char *list, unsigned nth) {
    for (; nth > 0; nth--) {
        const char *comma = strchr(list, ',');
        if (!comma)
            break;
        list = comma + 1;
    }
    return list;
}

int64_t script_number_at(const char *name, unsigned nth, int64_t otherwise) {
    const char *list = script_text(name);
    return list ? strtoll(item_at(list, nth), NULL, 0) : otherwise;
}

void script_fault(const char *name, unsigned nth) {
    const char *list = script_text(name);
    if (!list)
        return;
    const char *fault = item_at(list, nth);
    if (strncmp(fault, "hang", 4) == 0)
        for (;;)
            pause();
    if (strncmp(fault, "abort", 5) == 0)
        abort();
    if (strncmp(fault, "segv", 4) == 0)
        *(volatile int *)unmapped = 1; /* a true fault, not raise(): it looks like the vendor's */
    if (strncmp(fault, "exit", 4) == 0)
        _exit(3);
}

void script_sleep_us(int64_t duration_us) {
    struct timespec left = {duration_us / 1000000, duration_us % 1000000 * 1000};
    while (duration_us > 0 && nanosleep(&left, &left) != 0)
        ;
}

static void log_line(char level, const char *text) {
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    fprintf(level == 'E' ? stderr : stdout, "%c RKNN: [%02d:%02d:%02d.%03ld] %s\n", level, parts.tm_hour,
            parts.tm_min, parts.tm_sec, now.tv_nsec / 1000000, text);
}

void script_log(char level, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_line(level, text);
}

void script_log_setting(const char *name) {
    const char *value = script_text(name);
    char copy[MAX_VALUE], *rest = copy, *line;
    if (!value)
        return;
    snprintf(copy, sizeof copy, "%s", value);
    while ((line = strsep(&rest, "|")))
        if (line[0] && line[1] == ' ')
            log_line(line[0], line + 2);
}

void script_trace(const char *format, ...) {
    const char *path = getenv("RKNN_DOUBLE_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(file, "%d ", getpid());
    vfprintf(file, format, arguments);
    fputc('\n', file);
    va_end(arguments);
    fclose(file);
}
