/* The tables of the gates, computed as fixed_point.py does: every libm gives these very integers. */
#include <math.h>

#include "model.h"

static int16_t q15(double v) {
    double rounded = floor(v * 32768 + 0.5);
    return (int16_t)(rounded > 32767 ? 32767 : rounded < -32767 ? -32767 : rounded);
}

void tinyrnn_fill_tables(int16_t sigmoid[2 * SIGMOID_HALF], int16_t tanh_[2 * TANH_HALF]) {
    for (int i = 0; i < 2 * SIGMOID_HALF; i++) {
        sigmoid[i] = q15(1 / (1 + exp(-(i - SIGMOID_HALF) / 256.0)));
    }
    for (int i = 0; i < 2 * TANH_HALF; i++) {
        tanh_[i] = q15(tanh((i - TANH_HALF) / 512.0));
    }
}
