/* rknn_query of the librknnrt double. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "script.h"

#define DEFAULT_DETAIL                                                                                   \
    "===========================================================================\n"                     \
    "ID   OpType           DataType Target InputShape             OutputShape     Time(us)\n"           \
    "0    InputOperator    INT8     CPU    \\                      (1,3,224,224)   12\n"                \
    "1    ConvRelu         INT8     NPU    (1,3,224,224)          (1,32,112,112)  340\n"                \
    "2    OutputOperator   INT8     CPU    (1,1000)               \\               8\n"                 \
    "Total Operator Elapsed Time(us): 360\n"

/* Stands in the library as in the vendor's, whose version is read without loading it. */
static const char banner[] = "librknnrt version: 2.3.2 (double@2026-01-01)";

const char *scripted_api_version(void) {
    const char *version = script_text("API_VERSION");
    return version ? version : strchr(banner, ':') + 2;
}

const char *scripted_driver_version(void) {
    const char *version = script_text("DRIVER_VERSION");
    return version ? version : "0.9.8";
}

static int query_attr(const rknn_tensor_attr *attrs, unsigned count, rknn_tensor_attr *answer) {
    if (answer->index >= count)
        return RKNN_ERR_PARAM_INVALID;
    *answer = attrs[answer->index];
    return RKNN_SUCC;
}

static int query_detail(context_t *context, rknn_perf_detail *answer) {
    if (!(context->flags & RKNN_FLAG_COLLECT_PERF)) {
        script_log('E', "rknn_query, RKNN_QUERY_PERF_DETAIL needs the flag RKNN_FLAG_COLLECT_PERF_MASK!");
        return RKNN_ERR_FAIL;
    }
    const char *path = script_text("PERF_DETAIL_FILE");
    FILE *file = path ? fopen(path, "r") : NULL;
    free(context->detail);
    context->detail = file ? calloc(1, 1 << 20) : strdup(DEFAULT_DETAIL);
    if (file) {
        size_t length = fread(context->detail, 1, (1 << 20) - 1, file);
        context->detail[length] = '\0';
        fclose(file);
    }
    answer->perf_data = context->detail;
    answer->data_len = strlen(context->detail);
    return RKNN_SUCC;
}

static int query_memory(rknn_mem_size *answer, uint32_t size) {
    rknn_mem_size memory = {.total_weight_size = script_number("WEIGHT_BYTES", 1 << 20),
                            .total_internal_size = script_number("INTERNAL_BYTES", 1 << 19),
                            .total_dma_allocated_size = script_number("DMA_BYTES", 1 << 21),
                            .total_sram_size = script_number("SRAM_BYTES", 0),
                            .free_sram_size = script_number("FREE_SRAM_BYTES", 0)};
    if (size < 8)
        return RKNN_ERR_PARAM_INVALID;
    memcpy(answer, &memory, size < sizeof memory ? size : sizeof memory);
    return RKNN_SUCC;
}

static int query_version(rknn_sdk_version *answer) {
    memset(answer, 0, sizeof *answer);
    snprintf(answer->api_version, sizeof answer->api_version, "%s", scripted_api_version());
    snprintf(answer->drv_version, sizeof answer->drv_version, "%s", scripted_driver_version());
    return RKNN_SUCC;
}

API int rknn_query(rknn_context handle, int command, void *answer, uint32_t size) {
    context_t *context = context_of(handle);
    const char *text = script_text("CUSTOM_STRING");
    script_trace("rknn_query command=%d size=%u", command, size);
    int code = (int)script_number("QUERY_RET", RKNN_SUCC);
    if (code != RKNN_SUCC)
        return code;
    switch (command) {
    case RKNN_QUERY_IN_OUT_NUM:
        *(rknn_input_output_num *)answer = (rknn_input_output_num){context->n_inputs, context->n_outputs};
        return RKNN_SUCC;
    case RKNN_QUERY_INPUT_ATTR:
    case RKNN_QUERY_NATIVE_INPUT_ATTR:
    case RKNN_QUERY_NATIVE_NHWC_INPUT_ATTR:
    case RKNN_QUERY_CURRENT_INPUT_ATTR:
    case RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR:
        return query_attr(context->inputs, context->n_inputs, answer);
    case RKNN_QUERY_OUTPUT_ATTR:
    case RKNN_QUERY_NATIVE_OUTPUT_ATTR:
    case RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR:
    case RKNN_QUERY_CURRENT_OUTPUT_ATTR:
    case RKNN_QUERY_CURRENT_NATIVE_OUTPUT_ATTR:
        return query_attr(context->outputs, context->n_outputs, answer);
    case RKNN_QUERY_PERF_DETAIL: return query_detail(context, answer);
    case RKNN_QUERY_PERF_RUN: ((rknn_perf_run *)answer)->run_duration = context->run_us; return RKNN_SUCC;
    case RKNN_QUERY_SDK_VERSION: return query_version(answer);
    case RKNN_QUERY_MEM_SIZE: return query_memory(answer, size);
    case RKNN_QUERY_CUSTOM_STRING:
        snprintf(((rknn_custom_string *)answer)->string, 1024, "%s", text ? text : "");
        return RKNN_SUCC;
    case RKNN_QUERY_INPUT_DYNAMIC_RANGE:
        script_log('E', "query RKNN_QUERY_INPUT_DYNAMIC_RANGE error, rknn model is static shape type, please "
                        "export rknn with dynamic_shapes");
        return RKNN_ERR_MODEL_INVALID;
    default: return RKNN_ERR_PARAM_INVALID;
    }
}
