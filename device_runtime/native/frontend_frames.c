/* Each vector that the front end completes goes onto the stack. */
#include "frontend_frames.h"

void tr_frames_init(TrFrames *frames, uint32_t length, uint32_t stride, float *vectors) {
    tr_frontend_init(&frames->frontend);
    tr_stack_init(&frames->stack, length, stride, vectors);
}

void tr_frames_reset(TrFrames *frames) {
    tr_frontend_reset(&frames->frontend);
    tr_stack_reset(&frames->stack);
}

size_t tr_frames_due(const TrFrames *frames, size_t count) {
    const size_t missing = TR_WINDOW - frames->frontend.heard_count;
    const size_t vectors = count < missing ? 0 : 1 + (count - missing) / TR_HOP;
    const size_t first = frames->stack.until_frame;
    return vectors < first ? 0 : 1 + (vectors - first) / frames->stack.stride;
}

int tr_frames_push(TrFrames *frames, const int16_t *samples, size_t count, size_t *consumed, float *frame) {
    float vector[TR_BANDS];
    size_t taken = 0;
    int is_ready = 0;
    while (!is_ready && taken < count) {
        size_t used;
        if (tr_frontend_push(&frames->frontend, samples + taken, count - taken, &used, vector)) {
            is_ready = tr_stack_push(&frames->stack, vector, frame);
        }
        taken += used;
    }
    *consumed = taken;
    return is_ready;
}
