/* A stream of speech: samples through the front end, each frame through the model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend_frames.h"
#include "model.h"

struct tinyrnn_stream {
    const tinyrnn *model;
    TrFrames frames;
    float *state, *frame; /* as the model's; behind them lie the vectors of the stack */
    void *allocated;
};

enum { FLOAT = sizeof(float) };

static size_t floats_at(void) { return round_up(sizeof(tinyrnn_stream), ALIGNMENT); }

size_t tinyrnn_stream_size(const tinyrnn *model) {
    return floats_at() + FLOAT * ((size_t)model->state_size + 2 * (size_t)model->feature_size) + ALIGNMENT;
}

static bool hears_speech(const tinyrnn *model, uint32_t stride, char error[TINYRNN_ERROR_SIZE]) {
    if (model->feature_size % TR_BANDS != 0) {
        snprintf(error, TINYRNN_ERROR_SIZE,
                 "the model takes frames of %lu numbers; those of speech are multiples of %d",
                 (unsigned long)model->feature_size, TR_BANDS);
        return false;
    }
    if (stride < 1) {
        snprintf(error, TINYRNN_ERROR_SIZE, "its file does not say how far apart frames of speech are; give a stride");
        return false;
    }
    return true;
}

tinyrnn_stream *tinyrnn_stream_open(const tinyrnn *model, uint32_t stride, void *memory,
                                    char error[TINYRNN_ERROR_SIZE]) {
    stride = stride == 0 ? model->stride : stride;
    if (!hears_speech(model, stride, error)) {
        return NULL;
    }
    void *allocated = memory == NULL ? malloc(tinyrnn_stream_size(model)) : NULL;
    if (memory == NULL && allocated == NULL) {
        snprintf(error, TINYRNN_ERROR_SIZE, "the stream takes %lu bytes of memory, which are not there",
                 (unsigned long)tinyrnn_stream_size(model));
        return NULL;
    }
    uint8_t *base = memory == NULL ? allocated : memory;
    base = (uint8_t *)round_up((uintptr_t)base, ALIGNMENT);
    tinyrnn_stream *stream = (tinyrnn_stream *)(void *)base;
    stream->model = model;
    stream->state = (float *)(void *)(base + floats_at());
    stream->frame = stream->state + model->state_size;
    stream->allocated = allocated;
    tr_frames_init(&stream->frames, model->feature_size / TR_BANDS, stride, stream->frame + model->feature_size);
    tinyrnn_stream_reset(stream);
    return stream;
}

void tinyrnn_stream_reset(tinyrnn_stream *stream) {
    tr_frames_reset(&stream->frames);
    tinyrnn_reset(stream->model, stream->state);
}

size_t tinyrnn_stream_due(const tinyrnn_stream *stream, size_t count) { return tr_frames_due(&stream->frames, count); }

size_t tinyrnn_stream_push(tinyrnn_stream *stream, void *scratch, const int16_t *samples, size_t count,
                           float *scores) {
    size_t steps = 0, used = 0;
    for (; count > 0; samples += used, count -= used) {
        if (tr_frames_push(&stream->frames, samples, count, &used, stream->frame)) {
            tinyrnn_steps(stream->model, scratch, stream->frame, 1, stream->state,
                          scores + steps * stream->model->score_count);
            steps++;
        }
    }
    return steps;
}

void tinyrnn_stream_close(tinyrnn_stream *stream) {
    if (stream != NULL) {
        free(stream->allocated);
    }
}
