/* One context of the librknnrt double: what rknn_init makes and every other call works on. */
#ifndef RKNN_DOUBLE_CONTEXT_H
#define RKNN_DOUBLE_CONTEXT_H

#include <stddef.h>

#include "rknn_abi.h"
#include "tensors.h"

#define API __attribute__((visibility("default")))

typedef struct {
    unsigned n_inputs, n_outputs, flags;
    rknn_tensor_attr inputs[MAX_TENSORS], outputs[MAX_TENSORS];
    rknn_tensor_mem *input_memory[MAX_TENSORS], *output_memory[MAX_TENSORS]; /* zero-copy; NULL: not bound */
    rknn_tensor_attr input_binding[MAX_TENSORS], output_binding[MAX_TENSORS];
    float *x;                       /* the elements of all inputs, one after the other */
    size_t x_count, x_start[MAX_TENSORS];
    float *y[MAX_TENSORS];          /* what the last good run computed */
    int64_t run_us;
    char *detail;
} context_t;

static inline context_t *context_of(rknn_context handle) { return (context_t *)(uintptr_t)handle; }

const char *scripted_api_version(void);
const char *scripted_driver_version(void);

#endif
