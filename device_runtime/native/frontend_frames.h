/* From samples to the frames of a model: the speech front end and its stack as one. */
#ifndef TR_FRONTEND_FRAMES_H
#define TR_FRONTEND_FRAMES_H

#include "frontend.h"
#include "frontend_stack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one stream remembers. */
typedef struct TrFrames {
    TrFrontend frontend;
    TrStack stack;
} TrFrames;

/* A frame is `length` vectors, and the next one comes `stride` vectors later; both are at least 1. `vectors` is memory
 * for length * TR_BANDS floats. */
void tr_frames_init(TrFrames *frames, uint32_t length, uint32_t stride, float *vectors);

/* Forget everything heard so far. */
void tr_frames_reset(TrFrames *frames);

/* How many frames the next `count` samples complete. */
size_t tr_frames_due(const TrFrames *frames, size_t count);

/* Take samples until they are used up or a frame is ready: returns 1 if `frame` (TR_BANDS * length floats) was written.
 * `consumed` says how many samples were taken. */
int tr_frames_push(TrFrames *frames, const int16_t *samples, size_t count, size_t *consumed, float *frame);

#ifdef __cplusplus
}
#endif

#endif
