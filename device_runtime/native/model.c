/* Opening a model: its memory is laid out once, in one piece, and nothing is allocated afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* Hands out parts of the arena; `at` is how much of it is taken. */
static size_t take(size_t *at, size_t bytes) {
    size_t from = *at;
    *at = from + round_up(bytes, ALIGNMENT);
    return from;
}

static size_t largest(size_t a, size_t b) { return a > b ? a : b; }

/* Where everything lies that a step writes to. */
static void lay_out_scratch(tinyrnn *model) {
    size_t at = 0, values = model->feature_size, rows = 0, sums = 0, gathered = 0, between = 0;
    for (uint32_t i = 0; i < model->matrix_count; i++) {
        const matrix *m = &model->matrices[i];
        rows = largest(rows, m->rows);
        between = largest(between, m->inner == NULL ? 0 : m->columns + SLACK);
        gathered = largest(gathered, m->is_sparse ? (size_t)m->tile_count * m->tile_columns : 0);
    }
    for (uint32_t i = 0; i < model->layer_count; i++) {
        layer *l = &model->layers[i];
        values = largest(values, l->outputs);
        sums = largest(sums, l->kind == DENSE ? l->outputs : 0);
        if (l->kind == GRU) {
            l->h_at = take(&at, 4 * (size_t)l->outputs + SLACK);
            l->hq_at = take(&at, l->outputs + SLACK);
        } else if (l->kind == SRU) {
            l->h_at = take(&at, 4 * (size_t)l->outputs + SLACK);
        } else if (l->kind == DECODE) {
            l->h_at = take(&at, 4 * (size_t)l->inputs + SLACK);
        }
    }
    if (model->linear.affine != NULL) {
        const size_t history = (size_t)model->linear.frames * model->linear.width;
        model->linear.rows_at = take(&at, history);
        model->linear.columns_at = take(&at, history + SLACK);
        model->linear.values_at = take(&at, 4 * (size_t)model->positions + SLACK);
    }
    model->frame_at = take(&at, 4 * (size_t)model->feature_size + SLACK);
    model->error_at = take(&at, 4 * (size_t)model->feature_size + SLACK);
    model->q_at[0] = take(&at, values + SLACK);
    model->q_at[1] = take(&at, values + SLACK);
    model->ax_at = take(&at, 4 * (sums + rows + 2 * SLACK_ROWS));
    model->ah_at = take(&at, 4 * (rows + 2 * SLACK_ROWS));
    model->room_at = take(&at, 2 * 4 * (rows / 3 + SLACK_ROWS));
    model->between_at = take(&at, between);
    model->scores_at = take(&at, 4 * (size_t)model->score_count + SLACK);
    model->gathered_at = take(&at, MAX_COLUMNS + SLACK + gathered + SLACK);
    model->scratch_size = at + ALIGNMENT;
}

static bool read_and_choose(tinyrnn *model, const void *file, size_t size, const char *name, char *error) {
    if (!tinyrnn_read(model, file, size, error)) {
        return false;
    }
    model->kernel = tinyrnn_choose_kernel(name);
    if (model->kernel == NULL) {
        snprintf(error, TINYRNN_ERROR_SIZE, "there is no kernel %.40s for this processor", name);
        return false;
    }
    lay_out_scratch(model);
    return true;
}

static size_t row_offset_bytes(const tinyrnn *model, const matrix *m) {
    return model->kernel->needs_row_offset ? 4 * (round_up(m->rows, HIGH_ROWS)) : 0;
}

/* Of scales or biases of which the last lanes would be other parts of the file: numbers that are not normal cost some
 * processors a hundred times as much as zeros. */
static size_t filled_up_bytes(const matrix *m) {
    return m->rows % SLACK_ROWS == 0 ? 0 : sizeof(float) * round_up(m->rows, SLACK_ROWS);
}

static const float *filled_up(const matrix *m, const float *values, uint8_t *to) {
    const size_t bytes = filled_up_bytes(m);
    return bytes == 0 ? values : memcpy(memset(to, 0, bytes), values, sizeof(float) * m->rows);
}

/* The rows of all windows of a dense layer as one matrix's: its sums become outputs in one pass. */
static size_t all_windows_bytes(const layer *l) {
    return l->kind == DENSE ? sizeof(matrix) + 2 * sizeof(float) * (l->outputs + SLACK_ROWS) : 0;
}

static const matrix *all_windows(const layer *l, uint8_t *to) {
    matrix *all = (matrix *)(void *)to;
    float *scale = (float *)(void *)(all + 1), *bias = scale + l->outputs + SLACK_ROWS;
    const uint32_t rows = l->input->rows;
    memset(to, 0, all_windows_bytes(l));
    for (uint32_t i = 0; i < l->outputs; i++) {
        scale[i] = l->input->scale[i % rows], bias[i] = l->input->bias[i % rows];
    }
    *all = (matrix){.rows = l->outputs, .scale = scale, .bias = bias};
    return all;
}

static size_t zeros_bytes(const tinyrnn *model) {
    return model->decoded > 0 ? 4 * (3 * (size_t)model->decoded + SLACK_ROWS) : 0;
}

static size_t arena_bytes(const tinyrnn *model) {
    size_t at = 0;
    take(&at, sizeof *model);
    take(&at, sizeof(int16_t) * (2 * SIGMOID_HALF + 1));
    take(&at, sizeof(int16_t) * (2 * TANH_HALF + 1));
    for (uint32_t i = 0; i < model->matrix_count; i++) {
        take(&at, row_offset_bytes(model, &model->matrices[i]));
        take(&at, tinyrnn_spread_bytes(model->kernel, &model->matrices[i]));
        take(&at, tinyrnn_plan_bytes(model->kernel, &model->matrices[i]));
        take(&at, filled_up_bytes(&model->matrices[i]));
        take(&at, filled_up_bytes(&model->matrices[i]));
    }
    for (uint32_t i = 0; i < model->layer_count; i++) {
        take(&at, all_windows_bytes(&model->layers[i]));
    }
    take(&at, zeros_bytes(model));
    take(&at, model->scratch_size);
    return at + ALIGNMENT;
}

size_t tinyrnn_arena_size(const void *file, size_t size, const char *name, char error[TINYRNN_ERROR_SIZE]) {
    tinyrnn model;
    return read_and_choose(&model, file, size, name, error) ? arena_bytes(&model) : 0;
}

/* The sum of a row is its product with ones. */
static void fill_row_offset(const tinyrnn *model, matrix *m) {
    matrix without_steps = *m;
    without_steps.steps = NULL;
    int8_t *ones = (int8_t *)model->scratch + model->gathered_at;
    memset(ones, 1, MAX_COLUMNS + SLACK);
    tinyrnn_portable.product(&without_steps, ones, m->row_offset, (uint8_t *)ones + MAX_COLUMNS + SLACK);
    for (uint32_t row = 0; row < round_up(m->rows, m->tile_rows); row++) {
        m->row_offset[row] *= -128;
    }
}

static const matrix *moved(const matrix *m, tinyrnn *to, const tinyrnn *from) {
    return m == NULL ? NULL : to->matrices + (m - from->matrices);
}

/* A copy of a struct still points into the original. */
static void move_pointers(tinyrnn *to, const tinyrnn *from) {
    for (uint32_t i = 0; i < to->layer_count; i++) {
        layer *l = &to->layers[i];
        l->input = moved(l->input, to, from), l->state = moved(l->state, to, from);
    }
    for (uint32_t i = 0; i < to->matrix_count; i++) {
        to->matrices[i].inner = moved(to->matrices[i].inner, to, from);
    }
    to->head = moved(from->head, to, from), to->linear.affine = moved(from->linear.affine, to, from);
}

tinyrnn *tinyrnn_open(const void *file, size_t size, const char *name, void *arena, size_t arena_size,
                      char error[TINYRNN_ERROR_SIZE]) {
    tinyrnn read;
    if (!read_and_choose(&read, file, size, name, error)) {
        return NULL;
    }
    size_t needed = arena_bytes(&read);
    void *allocated = arena == NULL ? malloc(needed) : NULL;
    if (arena == NULL ? allocated == NULL : arena_size < needed) {
        snprintf(error, TINYRNN_ERROR_SIZE, "the model takes %lu bytes of memory, which are not there",
                 (unsigned long)needed);
        return NULL;
    }
    uint8_t *base = arena == NULL ? allocated : arena;
    base = (uint8_t *)round_up((uintptr_t)base, ALIGNMENT);
    size_t at = 0;
    tinyrnn *model = (tinyrnn *)(void *)(base + take(&at, sizeof *model));
    *model = read;
    move_pointers(model, &read);
    model->allocated = allocated;
    int16_t *sigmoid = (int16_t *)(void *)(base + take(&at, sizeof(int16_t) * (2 * SIGMOID_HALF + 1)));
    int16_t *tanh = (int16_t *)(void *)(base + take(&at, sizeof(int16_t) * (2 * TANH_HALF + 1)));
    sigmoid[0] = tanh[0] = 0;
    tinyrnn_fill_tables(sigmoid + 1, tanh + 1);
    model->tables = (tables){sigmoid + 1, tanh + 1};
    for (uint32_t i = 0; i < model->matrix_count; i++) {
        matrix *m = &model->matrices[i];
        m->row_offset = (int32_t *)(void *)(base + take(&at, row_offset_bytes(model, m)));
        const size_t spread = tinyrnn_spread_bytes(model->kernel, m);
        if (spread > 0) {
            tinyrnn_spread(m, base + take(&at, spread));
        }
        tinyrnn_plan(model->kernel, m, base + take(&at, tinyrnn_plan_bytes(model->kernel, m)));
        m->scale = filled_up(m, m->scale, base + take(&at, filled_up_bytes(m)));
        m->bias = filled_up(m, m->bias, base + take(&at, filled_up_bytes(m)));
    }
    for (uint32_t i = 0; i < model->layer_count; i++) {
        layer *l = &model->layers[i];
        l->all = l->kind == DENSE ? all_windows(l, base + take(&at, all_windows_bytes(l))) : NULL;
    }
    model->zeros = memset(base + take(&at, zeros_bytes(model)), 0, zeros_bytes(model));
    model->scratch = base + take(&at, model->scratch_size);
    memset(model->scratch, 0, model->scratch_size);
    for (uint32_t i = 0; i < model->matrix_count && model->kernel->needs_row_offset; i++) {
        fill_row_offset(model, &model->matrices[i]);
    }
    return model;
}

void tinyrnn_close(tinyrnn *model) {
    if (model != NULL) {
        free(model->allocated);
    }
}

uint32_t tinyrnn_feature_size(const tinyrnn *model) { return model->feature_size; }
uint32_t tinyrnn_state_size(const tinyrnn *model) { return model->state_size; }
uint32_t tinyrnn_score_count(const tinyrnn *model) { return model->score_count; }
uint32_t tinyrnn_stride(const tinyrnn *model) { return model->stride; }
const char *tinyrnn_kernel(const tinyrnn *model) { return model->kernel->name; }
size_t tinyrnn_scratch_size(const tinyrnn *model) { return model->scratch_size; }

const char *tinyrnn_label(const tinyrnn *model, uint32_t at) {
    const char *label = model->labels;
    if (label == NULL || at >= model->score_count) {
        return "";
    }
    const uint32_t of_each = model->head->rows / model->label_count;
    for (uint32_t before = at % model->head->rows / of_each; before > 0; before--) {
        label += strlen(label) + 1;
    }
    return label;
}
