/* tinyrnn: a small int8 recurrent model, with the bits of device_runtime/arithmetic.py.
 *
 *     char error[TINYRNN_ERROR_SIZE];
 *     tinyrnn *model = tinyrnn_open(file, file_size, NULL, NULL, 0, error);
 *     if (!model) { puts(error); return 1; }
 *
 * Speech, from samples to scores (example.c is a whole program):
 *
 *     tinyrnn_stream *stream = tinyrnn_stream_open(model, 0, NULL, error);
 *     steps = tinyrnn_stream_push(stream, NULL, samples, count, scores);      again and again
 *
 * Or frames that the program makes itself:
 *
 *     tinyrnn_reset(model, state);                                   state: tinyrnn_state_size(model) floats
 *     tinyrnn_steps(model, NULL, frame, 1, state, scores);           again and again
 *     tinyrnn_windows(model, NULL, frames, 1, count, state, scores); or only what a whole window leads to: a forecast
 *
 * The file (model.native, see file.c) may come from anyone: it is checked when it is opened. Nothing is allocated
 * after that and after a stream is opened; both also work in memory of the program's own. The model does not change,
 * and any number of streams may share it: all that one remembers is in its state.
 */
#ifndef TINYRNN_H
#define TINYRNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define TINYRNN_ERROR_SIZE 160

typedef struct tinyrnn tinyrnn;
typedef struct tinyrnn_stream tinyrnn_stream;

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

/* Of a model that hears speech: from one frame to the next so many times 10 ms. 0 where the file does not tell. */
uint32_t tinyrnn_stride(const tinyrnn *model);

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

/* The same, but `state` stays as it is and the next one is written to `next_state`, which may be `state`. */
void tinyrnn_steps_from(const tinyrnn *model, void *scratch, const float *frames, size_t count, const float *state,
                        float *next_state, float *scores);

/* One frame of each of `count` streams: frames (count, feature_size), states (count, state_size) -> scores
 * (count, score_count), and the states go on. */
void tinyrnn_streams(const tinyrnn *model, void *scratch, const float *frames, size_t count, float *states,
                     float *scores);

/* `windows` windows of `count` frames, at least one, each begun from `state`, which stays as it is: frames (windows,
 * count, feature_size) -> the scores of each window's last step, (windows, score_count). What only the scores of the
 * other steps need is left out; the bits are those of tinyrnn_steps. */
void tinyrnn_windows(const tinyrnn *model, void *scratch, const float *frames, size_t windows, size_t count,
                     const float *state, float *scores);

/* Bytes that a stream of speech takes. */
size_t tinyrnn_stream_size(const tinyrnn *model);

/* A stream of speech before its first sample, for a model whose frames are those of the speech front end (frontend.h).
 * `stride` is as in tinyrnn_stride; 0 takes the file's. `memory` has tinyrnn_stream_size bytes, at any address; NULL
 * allocates them. The model must stay open until tinyrnn_stream_close. NULL comes back if it hears no speech; `error`
 * then holds one line that says why. */
tinyrnn_stream *tinyrnn_stream_open(const tinyrnn *model, uint32_t stride, void *memory,
                                    char error[TINYRNN_ERROR_SIZE]);

/* Gives back what tinyrnn_stream_open allocated. */
void tinyrnn_stream_close(tinyrnn_stream *stream);

/* Forget everything heard so far. */
void tinyrnn_stream_reset(tinyrnn_stream *stream);

/* How many steps the next `count` samples lead to: at most 1 for every 160 of them, begun or whole. */
size_t tinyrnn_stream_due(const tinyrnn_stream *stream, size_t count);

/* Take all of these samples (16 kHz, one channel); returns how many steps they led to and writes the scores of each:
 * scores (tinyrnn_stream_due, score_count). How a sound is cut into calls changes nothing. `scratch` is as in
 * tinyrnn_steps. */
size_t tinyrnn_stream_push(tinyrnn_stream *stream, void *scratch, const int16_t *samples, size_t count, float *scores);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
