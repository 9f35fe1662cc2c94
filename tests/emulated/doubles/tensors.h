/* Tensors of the librknnrt double: their description, their bytes as numbers, and the sum it computes. */
#ifndef RKNN_DOUBLE_TENSORS_H
#define RKNN_DOUBLE_TENSORS_H

#include <stddef.h>

#include "rknn_abi.h"

#define MAX_TENSORS 16

/* Describes the tensors of a setting such as `x:1x28x28x16:int8:nhwc:0.02957:-2;y:1x10:float32:undefined`
 * (name, shape, type, layout, then scale and zero point where the tensor is quantised).
 * Returns how many; at most MAX_TENSORS. */
unsigned describe_tensors(const char *setting, rknn_tensor_attr *attrs);

/* Bytes of one element of a tensor type; 0 for a type that the double does not know. */
size_t element_bytes(int32_t type);

/* One element as a number and back. A quantised element is (q - zero point) * scale; `attr` NULL or
 * without quantisation: as it stands. Integers are rounded to nearest and clamped. */
float element_read(const void *data, size_t at, int32_t type, const rknn_tensor_attr *attr);
void element_write(void *data, size_t at, int32_t type, const rknn_tensor_attr *attr, float value);

/* What the double computes. x: the elements of all inputs, one after the other; n: how many.
 * Output number `output` has y[k] = 0.5 * x[(7k + output) mod n] + 0.25 * x[(7k + output + 1) mod n]. */
float computed(const float *x, size_t n, unsigned output, size_t k);

#endif
