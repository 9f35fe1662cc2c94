/* What `--scenario offline` is held against: the same calls of librknnrt in threads of C, and nothing else.
 *
 * usage: bare_loop MODEL THREADS CALLS; prints the sum of the threads' own rates, in calls per second. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rknn_abi.h"

#define INPUT_BYTES 16 /* of x:1x2x2x1:float32 */
#define OUTPUT_BYTES 12 /* of y:1x3:float32 */

int rknn_init(rknn_context *, void *, uint32_t, uint32_t, void *);
int rknn_dup_context(rknn_context *, rknn_context *);
int rknn_inputs_set(rknn_context, uint32_t, rknn_input *);
int rknn_run(rknn_context, void *);
int rknn_outputs_get(rknn_context, uint32_t, rknn_output *, void *);
int rknn_outputs_release(rknn_context, uint32_t, rknn_output *);

static int calls;
static pthread_barrier_t barrier;

typedef struct {
    pthread_t thread;
    rknn_context context;
    double per_s;
} lane_t;

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void *work(void *argument) {
    lane_t *lane = argument;
    static float input[INPUT_BYTES / 4];
    float output[OUTPUT_BYTES / 4];
    rknn_input in = {.index = 0, .buf = input, .size = INPUT_BYTES, .type = 0, .fmt = 1};
    rknn_output out = {.want_float = 1, .is_prealloc = 1, .index = 0, .buf = output, .size = OUTPUT_BYTES};
    pthread_barrier_wait(&barrier);
    double start = now_s();
    for (int i = 0; i < calls; i++) {
        rknn_inputs_set(lane->context, 1, &in);
        rknn_run(lane->context, NULL);
        rknn_outputs_get(lane->context, 1, &out, NULL);
        rknn_outputs_release(lane->context, 1, &out);
    }
    lane->per_s = calls / (now_s() - start);
    return NULL;
}

int main(int argc, char **argv) {
    static unsigned char model[1 << 16];
    FILE *file = argc == 4 ? fopen(argv[1], "rb") : NULL;
    if (!file)
        return 2;
    size_t size = fread(model, 1, sizeof model, file);
    int threads = atoi(argv[2]);
    lane_t *lanes = calloc(threads, sizeof *lanes);
    calls = atoi(argv[3]);
    if (rknn_init(&lanes[0].context, model, size, 1, NULL) != 0)
        return 1;
    for (int i = 1; i < threads; i++)
        if (rknn_dup_context(&lanes[0].context, &lanes[i].context) != 0)
            return 1;
    pthread_barrier_init(&barrier, NULL, threads);
    for (int i = 0; i < threads; i++)
        pthread_create(&lanes[i].thread, NULL, work, &lanes[i]);
    double per_s = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(lanes[i].thread, NULL);
        per_s += lanes[i].per_s;
    }
    fprintf(stderr, "%.6f\n", per_s);
    return 0;
}
