/* The linear map of the last frames, beside the layers. What came at the same place of each frame is one
 * vector of inputs, oldest first, and gives a number for each position, which is added to its scores at that place.
 *
 * A stream's state holds the frames as float32; here they are int8, raised where the kernel's inputs are.
 */
#include "step.h"

static size_t size(const linear_map *linear) { return (size_t)linear->frames * linear->width; }

static uint8_t raised_by(const tinyrnn *model) { return model->kernel->needs_row_offset ? 0x80 : 0; }

void tinyrnn_linear_take(const tinyrnn *model, uint8_t *scratch, const float *state) {
    uint8_t *rows = scratch + model->linear.rows_at;
    const uint8_t raised = raised_by(model);
    for (size_t i = 0; i < size(&model->linear); i++) {
        const float above = state[i] > -127.0f ? state[i] : -127.0f; /* false for NaN */
        rows[i] = (uint8_t)((int32_t)(above < 127.0f ? above : 127.0f) ^ raised);
    }
}

void tinyrnn_linear_give(const tinyrnn *model, const uint8_t *scratch, float *state) {
    const uint8_t *rows = scratch + model->linear.rows_at, raised = raised_by(model);
    for (size_t i = 0; i < size(&model->linear); i++) {
        state[i] = (float)(int8_t)(rows[i] ^ raised);
    }
}

void tinyrnn_linear_push(const tinyrnn *model, uint8_t *scratch, const int8_t *q) {
    const size_t width = model->linear.width, kept = size(&model->linear) - width;
    uint8_t *rows = scratch + model->linear.rows_at;
    memmove(rows, rows + width, kept);
    memcpy(rows + kept, q, width);
}

/* From one frame after the other to one feature after the other. */
static void turn(const uint8_t *restrict rows, uint8_t *restrict columns, size_t frames, size_t width) {
    for (size_t j = 0; j < width; j++) {
        for (size_t k = 0; k < frames; k++) {
            columns[j * frames + k] = rows[k * width + j];
        }
    }
}

void tinyrnn_linear_add(const tinyrnn *model, uint8_t *scratch, float *scores) {
    const linear_map *linear = &model->linear;
    const uint32_t width = linear->width, rows = model->head->rows;
    int32_t *sums = ints(scratch, model->ax_at);
    float *values = floats(scratch, linear->values_at);
    turn(scratch + linear->rows_at, scratch + linear->columns_at, linear->frames, width);
    for (uint32_t j = 0; j < width; j++) {
        const int8_t *column = bytes(scratch, linear->columns_at) + (size_t)j * linear->frames;
        multiply(model, scratch, linear->affine, column, sums);
        model->kernel->lines->affine(linear->affine, sums, values);
        for (uint32_t position = 0; position < model->positions; position++) {
            for (uint32_t at = j; at < rows; at += width) {
                scores[(size_t)position * rows + at] += values[position];
            }
        }
    }
}
