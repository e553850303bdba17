/* tinyrnn: one step of a small int8 recurrent model, with the bits of device_runtime/arithmetic.py.
 *
 *     char error[TINYRNN_ERROR_SIZE];
 *     tinyrnn *model = tinyrnn_open(file, file_size, NULL, NULL, 0, error);
 *     if (!model) { puts(error); return 1; }
 *     tinyrnn_reset(model, state);                                   state: tinyrnn_state_size(model) floats
 *     tinyrnn_steps(model, NULL, frame, 1, state, scores);           again and again
 *     tinyrnn_close(model);
 *
 * The file (model.native, see file.c) may come from anyone: it is checked when it is opened. Nothing is allocated
 * after that. The model does not change; all that a stream remembers is in its state.
 */
#ifndef TINYRNN_H
#define TINYRNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TINYRNN_ERROR_SIZE 160

typedef struct tinyrnn tinyrnn;

/* Bytes that tinyrnn_open needs for this file, 0 if the file is refused; `error` then holds one line that says why.
 * `kernel` names the code to use, NULL chooses the fastest that this processor runs. */
size_t tinyrnn_arena_size(const void *file, size_t file_size, const char *kernel, char error[TINYRNN_ERROR_SIZE]);

/* A model that reads its weights where they lie: `file` must stay as it is until tinyrnn_close, at an address that is
 * a multiple of 4; one of 64 is fastest. `arena` is memory for everything else, at any address; NULL allocates it.
 * NULL comes back if the file is refused. */
tinyrnn *tinyrnn_open(const void *file, size_t file_size, const char *kernel, void *arena, size_t arena_size,
                      char error[TINYRNN_ERROR_SIZE]);

/* Gives back what tinyrnn_open allocated. */
void tinyrnn_close(tinyrnn *model);

/* Numbers in a frame, in a stream's state, and in the scores of a step. */
uint32_t tinyrnn_feature_size(const tinyrnn *model);
uint32_t tinyrnn_state_size(const tinyrnn *model);
uint32_t tinyrnn_score_count(const tinyrnn *model);

/* What score `at` stands for; "" where the file does not tell. */
const char *tinyrnn_label(const tinyrnn *model, uint32_t at);

/* The name of the code that runs the model, such as "avx2". */
const char *tinyrnn_kernel(const tinyrnn *model);

/* What may be given as `kernel` and runs on this processor, fastest first; NULL after the last. */
const char *tinyrnn_kernel_name(uint32_t at);

/* Bytes of working memory for a second thread. */
size_t tinyrnn_scratch_size(const tinyrnn *model);

/* The state before the first frame. */
void tinyrnn_reset(const tinyrnn *model, float *state);

/* `count` frames of one stream, one after the other: frames (count, feature_size) -> scores (count, score_count);
 * `state` goes on from what it holds. `scratch` is working memory of tinyrnn_scratch_size bytes at any address, or
 * NULL for the model's own, which serves one thread at a time. */
void tinyrnn_steps(const tinyrnn *model, void *scratch, const float *frames, size_t count, float *state, float *scores);

/* One frame of each of `count` streams: frames (count, feature_size), states (count, state_size) -> scores
 * (count, score_count), and the states go on. */
void tinyrnn_streams(const tinyrnn *model, void *scratch, const float *frames, size_t count, float *states,
                     float *scores);

#ifdef __cplusplus
}
#endif

#endif
