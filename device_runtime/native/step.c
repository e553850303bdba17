/* One step: arithmetic.step, line by line. */
#include "step.h"

/* The scratch holds the error and each recurrent layer's state, of a GRU its int8 copy too, and the frames of the
 * linear map, while a stream is stepped. */
static void take_state(const tinyrnn *model, uint8_t *scratch, const float *state) {
    memcpy(scratch + model->error_at, state, sizeof(float) * model->feature_size);
    state += model->feature_size;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const layer *l = &model->layers[i];
        if (l->kind == GRU) {
            memcpy(scratch + l->h_at, state, sizeof(float) * l->outputs);
            model->kernel->lines->quantize_state(floats(scratch, l->h_at), bytes(scratch, l->hq_at), l->outputs);
            state += l->outputs;
        } else if (l->kind == SRU) {
            memcpy(scratch + l->h_at, state, sizeof(float) * l->outputs);
            state += l->outputs;
        }
    }
    if (model->linear.affine != NULL) {
        tinyrnn_linear_take(model, scratch, state);
    }
}

static void give_state(const tinyrnn *model, const uint8_t *scratch, float *state) {
    memcpy(state, scratch + model->error_at, sizeof(float) * model->feature_size);
    state += model->feature_size;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const layer *l = &model->layers[i];
        if (l->kind == GRU || l->kind == SRU) {
            memcpy(state, scratch + l->h_at, sizeof(float) * l->outputs);
            state += l->outputs;
        }
    }
    if (model->linear.affine != NULL) {
        tinyrnn_linear_give(model, scratch, state);
    }
}

/* The head, of each position. */
static void give_scores(const tinyrnn *model, uint8_t *scratch, const int8_t *q, float *scores) {
    const matrix *head = model->head;
    int32_t *ax = ints(scratch, model->ax_at);
    float *found = floats(scratch, model->scores_at);
    for (size_t position = 0; position < model->positions; position++) {
        multiply(model, scratch, head, q + position * inputs_of(head), ax);
        model->kernel->lines->affine(head, ax, found + position * head->rows);
    }
    if (model->linear.affine != NULL) {
        tinyrnn_linear_add(model, scratch, found);
    }
    memcpy(scores, found, sizeof(float) * model->score_count);
}

/* The products of a GRU; every second step goes through dense weights the other way, so that what the one before read
 * last is still in the cache. Otherwise the state goes first, which was faster with sparse weights: the frame was only
 * just written. */
static void multiply_gru(const tinyrnn *model, uint8_t *scratch, const layer *gru, const int8_t *q, const int8_t *hq,
                         int32_t *ax, int32_t *ah, bool is_back) {
    if (is_back && !gru->state->is_sparse && gru->input->inner == NULL && gru->state->inner == NULL) {
        uint8_t *gathered = scratch + model->gathered_at;
        model->kernel->product_back(gru->input, q, ax, gathered);
        model->kernel->product_back(gru->state, hq, ah, gathered);
    } else {
        multiply(model, scratch, gru->state, hq, ah);
        multiply(model, scratch, gru->input, q, ax);
    }
}

/* The sums of a dense layer's windows, (windows, rows). */
static void multiply_windows(const tinyrnn *model, uint8_t *scratch, const layer *dense, const int8_t *q,
                             int32_t *sums) {
    const matrix *m = dense->input;
    if (m->inner == NULL) {
        model->kernel->products(m, q, dense->hop, dense->windows, sums, scratch + model->gathered_at);
        return;
    }
    for (uint32_t window = 0; window < dense->windows; window++) {
        multiply(model, scratch, m, q + (size_t)window * dense->hop, sums + (size_t)window * m->rows);
    }
}

/* A frame, and the error that it leaves. Its last lanes go through a copy where they would be read from behind the last
 * frame. */
static void quantize(const tinyrnn *model, uint8_t *scratch, const float *frame, int8_t *q, size_t left) {
    const uint32_t size = model->feature_size, rest = left * size < SLACK_ROWS ? size % SLACK_ROWS : 0;
    const uint32_t before = size - rest;
    float *error = floats(scratch, model->error_at), *copy = floats(scratch, model->frame_at);
    model->kernel->lines->quantize_frame(frame, error, model->input_gain, q, before);
    if (rest > 0) {
        memcpy(copy, frame + before, sizeof(float) * rest);
        model->kernel->lines->quantize_frame(copy, error + before, model->input_gain, q + before, rest);
    }
}

/* `scores` may be NULL: then nothing is done that only they need. `left`: frames that follow. */
static void step(const tinyrnn *model, uint8_t *scratch, const float *frame, float *scores, size_t left) {
    const elementwise *lines = model->kernel->lines;
    int32_t *ax = ints(scratch, model->ax_at), *ah = ints(scratch, model->ah_at);
    int8_t *q = bytes(scratch, model->q_at[0]);
    unsigned next = 1;
    quantize(model, scratch, frame, q, left);
    if (model->linear.affine != NULL) {
        tinyrnn_linear_push(model, scratch, q);
    }
    const uint32_t layers = scores == NULL ? model->lasting_layers : model->layer_count;
    for (uint32_t i = 0; i < layers; i++) {
        const layer *l = &model->layers[i];
        if (l->kind == GRU) {
            int8_t *hq = bytes(scratch, l->hq_at);
            multiply_gru(model, scratch, l, q, hq, ax, ah, left % 2 != 0);
            lines->gates(l, &model->tables, ax, ah, floats(scratch, model->room_at), floats(scratch, l->h_at), hq);
            q = hq;
        } else if (l->kind == DECODE) {
            q = bytes(scratch, model->q_at[next]);
            tinyrnn_decode(model, scratch, l, q);
        } else if (l->kind == SRU) {
            multiply(model, scratch, l->input, q, ax);
            q = bytes(scratch, model->q_at[next]);
            lines->sru(l, &model->tables, ax, floats(scratch, model->room_at), floats(scratch, l->h_at), q);
            next = 1 - next;
        } else {
            multiply_windows(model, scratch, l, q, ax);
            q = bytes(scratch, model->q_at[next]);
            lines->rectify(l->all, ax, l->output_gain, q);
            next = 1 - next;
        }
    }
    if (scores != NULL) {
        give_scores(model, scratch, q, scores);
    }
}

static uint8_t *aligned(const tinyrnn *model, void *scratch) {
    return (uint8_t *)round_up((uintptr_t)(scratch == NULL ? model->scratch : scratch), ALIGNMENT);
}

void tinyrnn_steps_from(const tinyrnn *model, void *scratch, const float *frames, size_t count, const float *state,
                        float *next_state, float *scores) {
    uint8_t *room = aligned(model, scratch);
    take_state(model, room, state);
    for (size_t i = 0; i < count; i++) {
        step(model, room, frames + i * model->feature_size, scores + i * model->score_count, count - 1 - i);
    }
    give_state(model, room, next_state);
}

void tinyrnn_steps(const tinyrnn *model, void *scratch, const float *frames, size_t count, float *state,
                   float *scores) {
    tinyrnn_steps_from(model, scratch, frames, count, state, state, scores);
}

void tinyrnn_streams(const tinyrnn *model, void *scratch, const float *frames, size_t count, float *states,
                     float *scores) {
    for (size_t i = 0; i < count; i++) {
        tinyrnn_steps(model, scratch, frames + i * model->feature_size, 1, states + i * model->state_size,
                      scores + i * model->score_count);
    }
}

void tinyrnn_windows(const tinyrnn *model, void *scratch, const float *frames, size_t windows, size_t count,
                     const float *state, float *scores) {
    uint8_t *room = aligned(model, scratch);
    for (size_t window = 0; window < windows; window++, scores += model->score_count) {
        take_state(model, room, state);
        for (size_t left = count; left > 0; left--, frames += model->feature_size) {
            step(model, room, frames, left == 1 ? scores : NULL, (windows - 1 - window) * count + left - 1);
        }
    }
}

void tinyrnn_reset(const tinyrnn *model, float *state) { memset(state, 0, sizeof(float) * model->state_size); }
