/* The last vectors of a stream in a ring, read out as frames. */
#include "frontend_stack.h"

#include <string.h>

void tr_stack_init(TrStack *stack, uint32_t length, uint32_t stride, float *vectors) {
    stack->length = length;
    stack->stride = stride;
    stack->vectors = vectors;
    tr_stack_reset(stack);
}

void tr_stack_reset(TrStack *stack) {
    stack->oldest = 0;
    stack->until_frame = stack->length;
}

int tr_stack_push(TrStack *stack, const float vector[TR_BANDS], float *frame) {
    memcpy(stack->vectors + (size_t)TR_BANDS * stack->oldest, vector, TR_BANDS * sizeof *vector);
    stack->oldest = stack->oldest + 1 == stack->length ? 0 : stack->oldest + 1;
    if (--stack->until_frame > 0) {
        return 0;
    }
    stack->until_frame = stack->stride;
    uint32_t from = stack->oldest;
    for (uint32_t age = 0; age < stack->length; ++age) {
        for (uint32_t band = 0; band < TR_BANDS; ++band) {
            frame[(size_t)band * stack->length + age] = stack->vectors[(size_t)TR_BANDS * from + band];
        }
        from = from + 1 == stack->length ? 0 : from + 1;
    }
    return 1;
}
