/* One step: arithmetic.step, line by line. */
#include <string.h>

#include "model.h"

static float *floats(uint8_t *scratch, size_t at) { return (float *)(void *)(scratch + at); }
static int32_t *ints(uint8_t *scratch, size_t at) { return (int32_t *)(void *)(scratch + at); }
static int8_t *bytes(uint8_t *scratch, size_t at) { return (int8_t *)(void *)(scratch + at); }

/* The scratch holds the error and each GRU layer's h, and their int8 copies, while a stream is stepped. */
static void take_state(const tinyrnn *model, uint8_t *scratch, const float *state) {
    memcpy(scratch + model->error_at, state, sizeof(float) * model->feature_size);
    state += model->feature_size;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const layer *l = &model->layers[i];
        if (l->kind == GRU) {
            memcpy(scratch + l->h_at, state, sizeof(float) * l->outputs);
            model->kernel->lines->quantize_state(floats(scratch, l->h_at), bytes(scratch, l->hq_at), l->outputs);
            state += l->outputs;
        }
    }
}

static void give_state(const tinyrnn *model, const uint8_t *scratch, float *state) {
    memcpy(state, scratch + model->error_at, sizeof(float) * model->feature_size);
    state += model->feature_size;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const layer *l = &model->layers[i];
        if (l->kind == GRU) {
            memcpy(state, scratch + l->h_at, sizeof(float) * l->outputs);
            state += l->outputs;
        }
    }
}

/* `is_last`: nothing may be read behind the frame. */
static void step(const tinyrnn *model, uint8_t *scratch, const float *frame, float *scores, bool is_last) {
    const kernel *k = model->kernel;
    const elementwise *lines = k->lines;
    int32_t *ax = ints(scratch, model->ax_at), *ah = ints(scratch, model->ah_at);
    uint8_t *gathered = scratch + model->gathered_at;
    int8_t *q = bytes(scratch, model->q_at[0]);
    unsigned next = 1;
    if (is_last) {
        frame = memcpy(scratch + model->frame_at, frame, sizeof(float) * model->feature_size);
    }
    lines->quantize_frame(frame, floats(scratch, model->error_at), model->input_gain, q, model->feature_size);
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const layer *l = &model->layers[i];
        if (l->kind == GRU) {
            int8_t *hq = bytes(scratch, l->hq_at);
            k->product(l->input, q, ax, gathered);
            k->product(l->state, hq, ah, gathered);
            lines->gates(l, &model->tables, ax, ah, floats(scratch, model->room_at), floats(scratch, l->h_at), hq);
            q = hq;
        } else {
            int8_t *outputs = bytes(scratch, model->q_at[next]);
            for (uint32_t window = 0; window < l->windows; window++) {
                k->product(l->input, q + (size_t)window * l->hop, ax, gathered);
                lines->rectify(l->input, ax, l->output_gain, outputs + (size_t)window * l->input->rows);
            }
            q = outputs;
            next = 1 - next;
        }
    }
    k->product(model->head, q, ax, gathered);
    lines->affine(model->head, ax, floats(scratch, model->scores_at));
    memcpy(scores, scratch + model->scores_at, sizeof(float) * model->score_count);
}

static uint8_t *aligned(const tinyrnn *model, void *scratch) {
    return (uint8_t *)round_up((uintptr_t)(scratch == NULL ? model->scratch : scratch), ALIGNMENT);
}

void tinyrnn_steps(const tinyrnn *model, void *scratch, const float *frames, size_t count, float *state,
                   float *scores) {
    uint8_t *room = aligned(model, scratch);
    take_state(model, room, state);
    for (size_t i = 0; i < count; i++) {
        const bool is_last = (count - 1 - i) * model->feature_size < SLACK_ROWS; /* or one of the last */
        step(model, room, frames + i * model->feature_size, scores + i * model->score_count, is_last);
    }
    give_state(model, room, state);
}

void tinyrnn_streams(const tinyrnn *model, void *scratch, const float *frames, size_t count, float *states,
                     float *scores) {
    for (size_t i = 0; i < count; i++) {
        tinyrnn_steps(model, scratch, frames + i * model->feature_size, 1, states + i * model->state_size,
                      scores + i * model->score_count);
    }
}

void tinyrnn_reset(const tinyrnn *model, float *state) { memset(state, 0, sizeof(float) * model->state_size); }
