#include "tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int32_t type;
    size_t bytes;
    double low, high; /* the range of an integer type; 0, 0 for the others */
} types[] = {
    {"float32", RKNN_TENSOR_FLOAT32, 4, 0, 0},      {"float16", RKNN_TENSOR_FLOAT16, 2, 0, 0},
    {"int8", RKNN_TENSOR_INT8, 1, -128, 127},       {"uint8", RKNN_TENSOR_UINT8, 1, 0, 255},
    {"int16", RKNN_TENSOR_INT16, 2, -32768, 32767}, {"uint16", RKNN_TENSOR_UINT16, 2, 0, 65535},
    {"int32", RKNN_TENSOR_INT32, 4, -2147483648.0, 2147483647.0},
    {"int64", RKNN_TENSOR_INT64, 8, -9.2e18, 9.2e18},
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

static unsigned type_row(int32_t type) {
    for (unsigned i = 0; i < TYPE_COUNT; i++)
        if (types[i].type == type)
            return i;
    return TYPE_COUNT;
}

size_t element_bytes(int32_t type) {
    unsigned row = type_row(type);
    return row < TYPE_COUNT ? types[row].bytes : 0;
}

static int32_t type_named(const char *name) {
    for (unsigned i = 0; i < TYPE_COUNT; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    fprintf(stderr, "librknnrt double: unknown tensor type %s\n", name);
    abort();
}

static int32_t layout_named(const char *name) {
    if (strcmp(name, "nchw") == 0)
        return RKNN_TENSOR_NCHW;
    return strcmp(name, "nhwc") == 0 ? RKNN_TENSOR_NHWC : RKNN_TENSOR_UNDEFINED;
}

static void read_shape(const char *text, rknn_tensor_attr *attr) {
    attr->n_elems = 1;
    while (*text && attr->n_dims < 16) {
        char *end;
        uint32_t dim = strtoul(text, &end, 10);
        attr->dims[attr->n_dims++] = dim;
        attr->n_elems *= dim;
        text = *end == 'x' ? end + 1 : end + strlen(end);
    }
}

static void describe_tensor(char *spec, rknn_tensor_attr *attr) {
    char *name = strsep(&spec, ":"), *shape = strsep(&spec, ":"), *type = strsep(&spec, ":");
    char *layout = strsep(&spec, ":"), *scale = strsep(&spec, ":"), *zero_point = strsep(&spec, ":");
    snprintf(attr->name, sizeof attr->name, "%s", name);
    read_shape(shape ? shape : "1", attr);
    attr->type = type_named(type ? type : "float32");
    attr->fmt = layout_named(layout ? layout : "undefined");
    attr->size = attr->n_elems * element_bytes(attr->type);
    attr->size_with_stride = attr->size;
    attr->w_stride = attr->fmt == RKNN_TENSOR_NHWC && attr->n_dims == 4 ? attr->dims[2] : 0;
    attr->qnt_type = scale ? RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC : RKNN_TENSOR_QNT_NONE;
    attr->scale = scale ? strtof(scale, NULL) : 1.0f;
    attr->zp = zero_point ? atoi(zero_point) : 0;
}

unsigned describe_tensors(const char *setting, rknn_tensor_attr *attrs) {
    char *copy = strdup(setting), *rest = copy, *spec;
    unsigned count = 0;
    while ((spec = strsep(&rest, ";")) && count < MAX_TENSORS) {
        memset(&attrs[count], 0, sizeof attrs[count]);
        attrs[count].index = count;
        describe_tensor(spec, &attrs[count++]);
    }
    free(copy);
    return count;
}

static int is_quantised(const rknn_tensor_attr *attr) { return attr && attr->qnt_type != RKNN_TENSOR_QNT_NONE; }

float element_read(const void *data, size_t at, int32_t type, const rknn_tensor_attr *attr) {
    float value = 0;
    switch (type) {
    case RKNN_TENSOR_FLOAT32: return ((const float *)data)[at];
    case RKNN_TENSOR_FLOAT16: return (float)((const _Float16 *)data)[at];
    case RKNN_TENSOR_INT8: value = ((const int8_t *)data)[at]; break;
    case RKNN_TENSOR_UINT8: value = ((const uint8_t *)data)[at]; break;
    case RKNN_TENSOR_INT16: value = ((const int16_t *)data)[at]; break;
    case RKNN_TENSOR_UINT16: value = ((const uint16_t *)data)[at]; break;
    case RKNN_TENSOR_INT32: value = ((const int32_t *)data)[at]; break;
    case RKNN_TENSOR_INT64: value = ((const int64_t *)data)[at]; break;
    default: abort();
    }
    return is_quantised(attr) ? (value - attr->zp) * attr->scale : value;
}

void element_write(void *data, size_t at, int32_t type, const rknn_tensor_attr *attr, float value) {
    unsigned row = type_row(type);
    double whole = nearbyint(is_quantised(attr) ? value / attr->scale + attr->zp : value);
    if (row < TYPE_COUNT && types[row].high > 0)
        whole = fmin(fmax(whole, types[row].low), types[row].high);
    switch (type) {
    case RKNN_TENSOR_FLOAT32: ((float *)data)[at] = value; break;
    case RKNN_TENSOR_FLOAT16: ((_Float16 *)data)[at] = (_Float16)value; break;
    case RKNN_TENSOR_INT8: ((int8_t *)data)[at] = (int8_t)whole; break;
    case RKNN_TENSOR_UINT8: ((uint8_t *)data)[at] = (uint8_t)whole; break;
    case RKNN_TENSOR_INT16: ((int16_t *)data)[at] = (int16_t)whole; break;
    case RKNN_TENSOR_UINT16: ((uint16_t *)data)[at] = (uint16_t)whole; break;
    case RKNN_TENSOR_INT32: ((int32_t *)data)[at] = (int32_t)whole; break;
    case RKNN_TENSOR_INT64: ((int64_t *)data)[at] = (int64_t)whole; break;
    default: abort();
    }
}

float computed(const float *x, size_t n, unsigned output, size_t k) {
    return 0.5f * x[(7 * k + output) % n] + 0.25f * x[(7 * k + output + 1) % n];
}
