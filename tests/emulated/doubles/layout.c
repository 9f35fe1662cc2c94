/* The layout of every struct of rknn_abi.h as this compiler sees it, for the check of the ctypes ones:
 * `struct size field=offset ...`, one line a struct. */
#include <stddef.h>
#include <stdio.h>

#include "rknn_abi.h"

#define STRUCT(type) at += snprintf(text + at, sizeof text - at, at ? "\n" #type " %zu" : #type " %zu", sizeof(type))
#define FIELD(type, field) \
    at += snprintf(text + at, sizeof text - at, " " #field "=%zu", offsetof(type, field))

__attribute__((visibility("default"))) const char *rknn_double_layout(void) {
    static char text[4096];
    size_t at = 0;
    STRUCT(rknn_input_output_num);
    FIELD(rknn_input_output_num, n_input);
    FIELD(rknn_input_output_num, n_output);
    STRUCT(rknn_tensor_attr);
    FIELD(rknn_tensor_attr, index);
    FIELD(rknn_tensor_attr, n_dims);
    FIELD(rknn_tensor_attr, dims);
    FIELD(rknn_tensor_attr, name);
    FIELD(rknn_tensor_attr, n_elems);
    FIELD(rknn_tensor_attr, size);
    FIELD(rknn_tensor_attr, fmt);
    FIELD(rknn_tensor_attr, type);
    FIELD(rknn_tensor_attr, qnt_type);
    FIELD(rknn_tensor_attr, fl);
    FIELD(rknn_tensor_attr, zp);
    FIELD(rknn_tensor_attr, scale);
    FIELD(rknn_tensor_attr, w_stride);
    FIELD(rknn_tensor_attr, size_with_stride);
    FIELD(rknn_tensor_attr, pass_through);
    FIELD(rknn_tensor_attr, h_stride);
    STRUCT(rknn_sdk_version);
    FIELD(rknn_sdk_version, api_version);
    FIELD(rknn_sdk_version, drv_version);
    STRUCT(rknn_mem_size);
    FIELD(rknn_mem_size, total_weight_size);
    FIELD(rknn_mem_size, total_internal_size);
    FIELD(rknn_mem_size, total_dma_allocated_size);
    FIELD(rknn_mem_size, total_sram_size);
    FIELD(rknn_mem_size, free_sram_size);
    FIELD(rknn_mem_size, reserved);
    STRUCT(rknn_perf_run);
    FIELD(rknn_perf_run, run_duration);
    STRUCT(rknn_perf_detail);
    FIELD(rknn_perf_detail, perf_data);
    FIELD(rknn_perf_detail, data_len);
    STRUCT(rknn_custom_string);
    FIELD(rknn_custom_string, string);
    STRUCT(rknn_input);
    FIELD(rknn_input, index);
    FIELD(rknn_input, buf);
    FIELD(rknn_input, size);
    FIELD(rknn_input, pass_through);
    FIELD(rknn_input, type);
    FIELD(rknn_input, fmt);
    STRUCT(rknn_output);
    FIELD(rknn_output, want_float);
    FIELD(rknn_output, is_prealloc);
    FIELD(rknn_output, index);
    FIELD(rknn_output, buf);
    FIELD(rknn_output, size);
    STRUCT(rknn_tensor_mem);
    FIELD(rknn_tensor_mem, virt_addr);
    FIELD(rknn_tensor_mem, phys_addr);
    FIELD(rknn_tensor_mem, fd);
    FIELD(rknn_tensor_mem, offset);
    FIELD(rknn_tensor_mem, size);
    FIELD(rknn_tensor_mem, flags);
    FIELD(rknn_tensor_mem, priv_data);
    return text;
}
