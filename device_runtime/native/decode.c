/* The positions of a decode layer: from the new state of the GRU before it, one step of that GRU for each.
 *
 * Its recurrent product is the same for all. Where the input's would stand is a row of numbers out of the file: the
 * bias of a matrix whose scales are zeros, so that the kernels' own gates serve here, whatever its sums are.
 */
#include "step.h"

void tinyrnn_decode(const tinyrnn *model, uint8_t *scratch, const layer *decode, int8_t *q) {
    const layer *gru = decode - 1;
    const uint32_t hidden = gru->outputs;
    int32_t *ax = ints(scratch, model->ax_at), *ah = ints(scratch, model->ah_at);
    float *h = floats(scratch, decode->h_at);
    matrix row = {.rows = 3 * hidden, .scale = model->zeros, .bias = decode->positions};
    const layer position = {.kind = GRU, .outputs = hidden, .input = &row, .state = gru->state};
    multiply(model, scratch, gru->state, bytes(scratch, gru->hq_at), ah);
    for (uint32_t at = 0; at < decode->outputs; at += hidden, row.bias += 3 * (size_t)hidden) {
        memcpy(h, scratch + gru->h_at, sizeof(float) * hidden);
        model->kernel->lines->gates(&position, &model->tables, ax, ah, floats(scratch, model->room_at), h, q + at);
    }
}
