/* A hostile model.native, and what follows it as sound: it is refused with a line, or it runs without harm and with the
 * same bits on every kernel, however the sound is cut. libFuzzer calls this; replay.c does without it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tinyrnn.h"

enum { FRAMES = 3, MOST_SAMPLES = 4000 };

static void demand(int is_so, const char *what) {
    if (!is_so) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

/* Memory of exactly so many bytes, so that the sanitizer sees a step beyond. */
static void *exactly(size_t bytes) {
    void *memory = calloc(1, bytes > 0 ? bytes : 1);
    demand(memory != NULL, "there is memory");
    return memory;
}

/* Any bytes as numbers of any size that an engine may meet, finite. */
static void fill(float *values, size_t count, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < count; i++) {
        int byte = size > 0 ? (int8_t)bytes[i % size] : (int)i;
        values[i] = (float)byte * (byte % 7 == 3 ? 1e20f : byte % 5 == 1 ? 1e-20f : 0.05f);
    }
}

/* The frames as two windows that are the same must give the last of the scores twice. */
static void last_of_windows(const tinyrnn *model, void *scratch, const float *frames, const float *expected) {
    const size_t bytes = 4 * FRAMES * (size_t)tinyrnn_feature_size(model), row = tinyrnn_score_count(model);
    uint8_t *twice = exactly(2 * bytes);
    float *state = exactly(4 * (size_t)tinyrnn_state_size(model)), *scores = exactly(4 * 2 * row);
    memcpy(twice, frames, bytes);
    memcpy(twice + bytes, frames, bytes);
    tinyrnn_windows(model, scratch, (const float *)(const void *)twice, 2, FRAMES, state, scores);
    for (int window = 0; window < 2; window++) {
        demand(memcmp(scores + window * row, expected, 4 * row) == 0, "a window ends with the scores of its last step");
    }
    free(scores);
    free(state);
    free(twice);
}

static float *step_frames(const tinyrnn *model, const uint8_t *sound, size_t size) {
    const size_t features = tinyrnn_feature_size(model), row = tinyrnn_score_count(model);
    float *frames = exactly(4 * FRAMES * features), *state = exactly(4 * (size_t)tinyrnn_state_size(model));
    float *scores = exactly(4 * FRAMES * row);
    void *scratch = exactly(tinyrnn_scratch_size(model));
    fill(frames, FRAMES * features, sound, size);
    tinyrnn_reset(model, state);
    tinyrnn_steps(model, scratch, frames, FRAMES - 1, state, scores);
    tinyrnn_streams(model, NULL, frames + (FRAMES - 1) * features, 1, state, scores + (FRAMES - 1) * row);
    last_of_windows(model, scratch, frames, scores + (FRAMES - 1) * row);
    free(scratch);
    free(state);
    free(frames);
    return scores;
}

/* Scores of the sound, pushed in pieces of so many samples, and how many steps they are of. */
static float *hear(const tinyrnn *model, const int16_t *samples, size_t count, size_t piece, size_t *steps) {
    char error[TINYRNN_ERROR_SIZE];
    void *memory = exactly(tinyrnn_stream_size(model));
    tinyrnn_stream *stream = tinyrnn_stream_open(model, 0, memory, error);
    const size_t row = tinyrnn_score_count(model), due = stream == NULL ? 0 : tinyrnn_stream_due(stream, count);
    float *scores = exactly(4 * due * row);
    *steps = 0;
    for (size_t at = 0, taken; stream != NULL && at < count; at += taken) {
        taken = count - at < piece ? count - at : piece;
        size_t coming = tinyrnn_stream_due(stream, taken);
        size_t came = tinyrnn_stream_push(stream, NULL, samples + at, taken, scores + *steps * row);
        demand(came == coming, "as many steps come as were due");
        *steps += came;
    }
    demand(*steps == due, "all steps that were due have come");
    tinyrnn_stream_close(stream);
    free(memory);
    return scores;
}

/* All that the model gives for the sound, in one piece of memory. */
static float *answers(const tinyrnn *model, const uint8_t *sound, size_t size, size_t *bytes) {
    const size_t count = size / 2 < MOST_SAMPLES ? size / 2 : MOST_SAMPLES;
    const size_t row = 4 * (size_t)tinyrnn_score_count(model);
    int16_t *samples = exactly(2 * count);
    memcpy(samples, sound, 2 * count);
    size_t whole_steps, cut_steps;
    float *stepped = step_frames(model, sound, size), *whole = hear(model, samples, count, count, &whole_steps);
    float *cut = hear(model, samples, count, 1 + size % 700, &cut_steps);
    demand(whole_steps == cut_steps && memcmp(whole, cut, whole_steps * row) == 0, "how sound is cut changes nothing");
    *bytes = FRAMES * row + whole_steps * row;
    stepped = realloc(stepped, *bytes);
    demand(stepped != NULL, "there is memory");
    memcpy((uint8_t *)stepped + FRAMES * row, whole, whole_steps * row);
    free(cut);
    free(whole);
    free(samples);
    return stepped;
}

static void read_labels(const tinyrnn *model) {
    for (uint32_t i = 0; i <= tinyrnn_score_count(model) && i < 1000; i++) {
        demand(strlen(tinyrnn_label(model, i)) < SIZE_MAX, "a label ends");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char error[TINYRNN_ERROR_SIZE] = "";
    uint32_t stored = 0;
    if (size >= 16) {
        memcpy(&stored, data + 12, sizeof stored);
    }
    const size_t file_size = stored < size ? stored : size;
    uint8_t *file = exactly(file_size);
    memcpy(file, data, file_size);
    float *first = NULL;
    size_t first_bytes = 0, bytes;
    const char *kernel;
    for (uint32_t at = 0; (kernel = tinyrnn_kernel_name(at)) != NULL; at++) {
        const size_t needed = tinyrnn_arena_size(file, file_size, kernel, error);
        void *arena = exactly(needed);
        tinyrnn *model = tinyrnn_open(file, file_size, kernel, arena, needed, error);
        demand((model == NULL) == (needed == 0), "what has a size can be opened");
        demand(model != NULL || (strlen(error) > 0 && strchr(error, '\n') == NULL), "one line says why");
        if (model != NULL) {
            read_labels(model);
            float *found = answers(model, data + file_size, size - file_size, &bytes);
            demand(first == NULL || (bytes == first_bytes && memcmp(first, found, bytes) == 0),
                   "every kernel has the same bits");
            free(first);
            first = found, first_bytes = bytes;
        }
        tinyrnn_close(model);
        free(arena);
    }
    free(first);
    free(file);
    return 0;
}
