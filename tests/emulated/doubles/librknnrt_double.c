/* A stand-in for librknnrt.so (tier T1): the rknn_api binary interface without an NPU.
 *
 * It is told what to do by settings (script.h). For the calls INIT, CORE, INPUTS, RUN, OUTPUTS and DUP:
 *   <CALL>_RET    return codes, a list           <CALL>_FAULT  hang, abort, segv, exit or -, a list
 *   <CALL>_LOG    lines it prints, every time    INIT_US       how long rknn_init takes
 * and for the rest:
 *   RUN_US             microseconds that rknn_run takes and PERF_RUN reports, a list
 *   INPUTS, OUTPUTS    the tensors (tensors.h)   OUTPUT_SHIFT  added to every output value, a list
 *   WEIGHT_BYTES, INTERNAL_BYTES, DMA_BYTES, SRAM_BYTES, FREE_SRAM_BYTES    what MEM_SIZE reports
 *   API_VERSION, DRIVER_VERSION                                what SDK_VERSION reports
 *   CUSTOM_STRING, PERF_DETAIL_FILE (a file with the text)     and QUERY_RET for all queries
 * A run that is told to return an error computes nothing: the outputs of the run before stay, as on a
 * board. Lists count the calls of the process. RKNN_DOUBLE_LOG names a file that gets a line per call.
 * Fed values count as they stand (255 is 255.0); with pass_through they are dequantised first.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "context.h"
#include "rknn_abi.h"
#include "script.h"
#include "tensors.h"

#define DEFAULT_INPUTS "input:1x224x224x3:int8:nhwc:0.018658:-14"
#define DEFAULT_OUTPUTS "output:1x1000:int8:undefined:0.1:0"
static unsigned calls[6];
enum { INIT, CORE, INPUTS, RUN, OUTPUTS, DUP };
static const char *const call_names[] = {"INIT", "CORE", "INPUTS", "RUN", "OUTPUTS", "DUP"};

/* What the script says about this call: prints, breaks down, or returns a code. */
static int scripted(int call) {
    char name[32];
    unsigned nth = calls[call]++;
    snprintf(name, sizeof name, "%s_LOG", call_names[call]);
    script_log_setting(name);
    snprintf(name, sizeof name, "%s_FAULT", call_names[call]);
    script_fault(name, nth);
    snprintf(name, sizeof name, "%s_RET", call_names[call]);
    return (int)script_number_at(name, nth, RKNN_SUCC);
}

static int is_model(const uint8_t *model, uint32_t size) {
    uint64_t payload_bytes = 0;
    if (size < 24 || memcmp(model, "RKNN", 4) != 0) {
        script_log('E', "parseRKNN: invalid RKNN_MAGIC!");
        script_log('E', "parseRKNN from buffer: Invalid RKNN format!");
        return 0;
    }
    memcpy(&payload_bytes, model + 16, sizeof payload_bytes);
    if (payload_bytes <= size)
        return 1;
    script_log('E', "parseRKNN: exportDataSize large then model size: %llu vs %u!",
               (unsigned long long)payload_bytes, size);
    return 0;
}

static void announce(void) {
    script_log('I', "RKNN Runtime Information: librknnrt version: %s", scripted_api_version());
    script_log('I', "RKNN Driver Information: version: %s", scripted_driver_version());
}

static context_t *new_context(uint32_t flags) {
    context_t *context = calloc(1, sizeof *context);
    const char *inputs = script_text("INPUTS"), *outputs = script_text("OUTPUTS");
    context->flags = flags;
    context->n_inputs = describe_tensors(inputs ? inputs : DEFAULT_INPUTS, context->inputs);
    context->n_outputs = describe_tensors(outputs ? outputs : DEFAULT_OUTPUTS, context->outputs);
    for (unsigned i = 0; i < context->n_inputs; i++) {
        context->x_start[i] = context->x_count;
        context->x_count += context->inputs[i].n_elems;
    }
    context->x = calloc(context->x_count, sizeof(float));
    for (unsigned i = 0; i < context->n_outputs; i++)
        context->y[i] = calloc(context->outputs[i].n_elems, sizeof(float));
    return context;
}

/* `model` is the file's bytes, or its path where `size` is 0. */
API int rknn_init(rknn_context *handle, void *model, uint32_t size, uint32_t flags, void *extend) {
    script_use_model(size);
    script_trace("rknn_init size=%u flags=0x%x extend=%d", size, flags, extend != NULL);
    announce();
    script_sleep_us(script_number("INIT_US", 0));
    int code = scripted(INIT);
    if (code == RKNN_SUCC && size > 0 && !is_model(model, size))
        code = RKNN_ERR_MODEL_INVALID;
    if (code != RKNN_SUCC) {
        script_log('E', "rknn_init, load model failed!");
        return code;
    }
    *handle = (uintptr_t)new_context(flags);
    return RKNN_SUCC;
}

API int rknn_init2(rknn_context *handle, void *model, uint32_t size, uint32_t flags, void *extend) {
    return rknn_init(handle, model, size, flags, extend);
}

API int rknn_dup_context(rknn_context *from, rknn_context *to) {
    script_trace("rknn_dup_context");
    int code = scripted(DUP);
    if (code != RKNN_SUCC)
        return code;
    *to = (uintptr_t)new_context(context_of(*from)->flags);
    return RKNN_SUCC;
}

API int rknn_destroy(rknn_context handle) {
    context_t *context = context_of(handle);
    script_trace("rknn_destroy");
    if (!context)
        return RKNN_ERR_CTX_INVALID;
    for (unsigned i = 0; i < context->n_outputs; i++)
        free(context->y[i]);
    free(context->x);
    free(context->detail);
    free(context);
    return RKNN_SUCC;
}

API int rknn_set_core_mask(rknn_context handle, int mask) {
    (void)handle;
    script_trace("rknn_set_core_mask 0x%x", mask);
    return scripted(CORE);
}

API int rknn_set_batch_core_num(rknn_context handle, int count) {
    (void)handle;
    script_trace("rknn_set_batch_core_num %d", count);
    return RKNN_SUCC;
}

API int rknn_set_input_shapes(rknn_context handle, uint32_t count, rknn_tensor_attr *attrs) {
    (void)handle;
    script_trace("rknn_set_input_shapes count=%u first=%u,%u,%u,%u", count, attrs->dims[0], attrs->dims[1],
                 attrs->dims[2], attrs->dims[3]);
    return RKNN_SUCC;
}

API int rknn_inputs_set(rknn_context handle, uint32_t count, rknn_input *inputs) {
    context_t *context = context_of(handle);
    int code = scripted(INPUTS);
    for (uint32_t i = 0; i < count && code == RKNN_SUCC; i++) {
        const rknn_input *fed = &inputs[i];
        script_trace("rknn_inputs_set index=%u size=%u pass_through=%u type=%d fmt=%d", fed->index, fed->size,
                     fed->pass_through, fed->type, fed->fmt);
        if (fed->index >= context->n_inputs)
            return RKNN_ERR_INPUT_INVALID;
        const rknn_tensor_attr *attr = &context->inputs[fed->index];
        int32_t type = fed->pass_through ? attr->type : fed->type;
        size_t needed = attr->n_elems * element_bytes(type);
        if (fed->size < needed) {
            script_log('E', "rknn_inputs_set, param input size(%u) < model input size(%zu)", fed->size, needed);
            return RKNN_ERR_PARAM_INVALID;
        }
        for (size_t k = 0; k < attr->n_elems; k++)
            context->x[context->x_start[fed->index] + k] =
                element_read(fed->buf, k, type, fed->pass_through ? attr : NULL);
    }
    return code;
}

static void read_bound_inputs(context_t *context) {
    for (unsigned i = 0; i < context->n_inputs; i++) {
        const rknn_tensor_attr *bound = &context->input_binding[i];
        const rknn_tensor_mem *memory = context->input_memory[i];
        if (!memory)
            continue;
        int as_is = bound->pass_through || bound->type == context->inputs[i].type;
        for (size_t k = 0; k < context->inputs[i].n_elems; k++)
            context->x[context->x_start[i] + k] = element_read((char *)memory->virt_addr + memory->offset, k,
                                                               bound->type, as_is ? &context->inputs[i] : NULL);
    }
}

static void write_bound_output(context_t *context, unsigned output) {
    const rknn_tensor_mem *memory = context->output_memory[output];
    const rknn_tensor_attr *bound = &context->output_binding[output];
    const rknn_tensor_attr *quantised = bound->type == context->outputs[output].type ? bound : NULL;
    for (size_t k = 0; memory && k < context->outputs[output].n_elems; k++)
        element_write((char *)memory->virt_addr + memory->offset, k, bound->type, quantised,
                      context->y[output][k]);
}

API int rknn_run(rknn_context handle, void *extend) {
    context_t *context = context_of(handle);
    unsigned nth = calls[RUN];
    (void)extend;
    script_trace("rknn_run");
    context->run_us = script_number_at("RUN_US", nth, 0);
    script_sleep_us(context->run_us);
    float shift = (float)script_number_at("OUTPUT_SHIFT", nth, 0);
    int code = scripted(RUN);
    if (code != RKNN_SUCC)
        return code;
    read_bound_inputs(context);
    for (unsigned i = 0; i < context->n_outputs; i++) {
        for (size_t k = 0; k < context->outputs[i].n_elems; k++)
            context->y[i][k] = computed(context->x, context->x_count, i, k) + shift;
        write_bound_output(context, i);
    }
    return RKNN_SUCC;
}

API int rknn_wait(rknn_context handle, void *extend) {
    (void)handle, (void)extend;
    return RKNN_SUCC;
}

API int rknn_outputs_get(rknn_context handle, uint32_t count, rknn_output *outputs, void *extend) {
    context_t *context = context_of(handle);
    (void)extend;
    int code = scripted(OUTPUTS);
    for (uint32_t i = 0; i < count && code == RKNN_SUCC; i++) {
        rknn_output *out = &outputs[i];
        script_trace("rknn_outputs_get index=%u want_float=%u is_prealloc=%u size=%u", out->index,
                     out->want_float, out->is_prealloc, out->size);
        if (out->index >= context->n_outputs)
            return RKNN_ERR_PARAM_INVALID;
        const rknn_tensor_attr *attr = &context->outputs[out->index];
        int32_t type = out->want_float ? RKNN_TENSOR_FLOAT32 : attr->type;
        uint32_t needed = attr->n_elems * element_bytes(type);
        if (out->is_prealloc && out->size < needed) {
            script_log('E', "output[%u] buf size error, size = %u, expected size = %u", i, out->size, needed);
            return RKNN_ERR_PARAM_INVALID;
        }
        if (!out->is_prealloc)
            out->buf = malloc(needed);
        out->size = needed;
        for (size_t k = 0; k < attr->n_elems; k++)
            element_write(out->buf, k, type, out->want_float ? NULL : attr, context->y[out->index][k]);
    }
    return code;
}

API int rknn_outputs_release(rknn_context handle, uint32_t count, rknn_output *outputs) {
    (void)handle;
    for (uint32_t i = 0; i < count; i++)
        if (!outputs[i].is_prealloc)
            free(outputs[i].buf);
    return RKNN_SUCC;
}

/* -- zero copy -------------------------------------------------------------------------------------- */

API rknn_tensor_mem *rknn_create_mem(rknn_context handle, uint32_t size) {
    rknn_tensor_mem *memory = calloc(1, sizeof *memory);
    (void)handle;
    memory->fd = memfd_create("dmabuf", 0);
    if (memory->fd < 0 || ftruncate(memory->fd, size) != 0)
        abort();
    memory->size = size;
    memory->virt_addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
    script_trace("rknn_create_mem size=%u", size);
    return memory;
}

API int rknn_destroy_mem(rknn_context handle, rknn_tensor_mem *memory) {
    (void)handle;
    script_trace("rknn_destroy_mem size=%u", memory->size);
    munmap(memory->virt_addr, memory->size);
    close(memory->fd);
    free(memory);
    return RKNN_SUCC;
}

API int rknn_mem_sync(rknn_context handle, rknn_tensor_mem *memory, int mode) {
    (void)handle, (void)memory;
    script_trace("rknn_mem_sync mode=%d", mode);
    return RKNN_SUCC;
}

static int bind_memory(const rknn_tensor_attr *known, unsigned count, rknn_tensor_mem **slots,
                       rknn_tensor_attr *bindings, rknn_tensor_mem *memory, const rknn_tensor_attr *attr) {
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(known[i].name, attr->name) != 0)
            continue;
        if (memory->size < known[i].n_elems * element_bytes(attr->type))
            return RKNN_ERR_PARAM_INVALID;
        slots[i] = memory;
        bindings[i] = *attr;
        return RKNN_SUCC;
    }
    return RKNN_ERR_PARAM_INVALID;
}

/* Finds the tensor by its name, inputs first. */
API int rknn_set_io_mem(rknn_context handle, rknn_tensor_mem *memory, rknn_tensor_attr *attr) {
    context_t *context = context_of(handle);
    script_trace("rknn_set_io_mem name=%s type=%d fmt=%d pass_through=%u", attr->name, attr->type, attr->fmt,
                 attr->pass_through);
    int code = bind_memory(context->inputs, context->n_inputs, context->input_memory, context->input_binding,
                           memory, attr);
    if (code == RKNN_SUCC)
        return code;
    return bind_memory(context->outputs, context->n_outputs, context->output_memory, context->output_binding,
                       memory, attr);
}
