/* From vectors of 40 bands to the frames of a model: every `stride` vectors, the last `length` of them. */
#ifndef TR_FRONTEND_STACK_H
#define TR_FRONTEND_STACK_H

#include <stdint.h>

#include "frontend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TrStack {
    uint32_t length, stride;
    uint32_t oldest;      /* where the next vector goes */
    uint32_t until_frame; /* vectors still to come before the next frame */
    float *vectors;       /* length * TR_BANDS floats of the caller */
} TrStack;

/* `vectors` is memory for length * TR_BANDS floats; length and stride are at least 1. */
void tr_stack_init(TrStack *stack, uint32_t length, uint32_t stride, float *vectors);

/* Forget all vectors. */
void tr_stack_reset(TrStack *stack);

/* Take a vector. Returns 1 when `frame` (TR_BANDS * length floats) was written: band by band, each from its oldest
 * value to its newest. The first frame comes with vector number `length`. */
int tr_stack_push(TrStack *stack, const float vector[TR_BANDS], float *frame);

#ifdef __cplusplus
}
#endif

#endif
