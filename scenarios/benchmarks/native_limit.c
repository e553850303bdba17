/* What a step costs, and what its int8 products alone cost with nothing else done in between: native_limit MODEL.native
 * prints the kernel, microseconds a step in one call of many, and microseconds of the products. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model.h"

enum { STEPS = 2000, ROUNDS = 60, MOST_BYTES = 4 << 20 };

static double now_us(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec * 1e-3;
}

/* Every product of a step, on whatever inputs the last step left. */
static void multiply(const tinyrnn *model, uint8_t *scratch) {
    for (uint32_t i = 0; i < model->matrix_count; i++) {
        model->kernel->product(&model->matrices[i], (const int8_t *)scratch + model->q_at[0],
                               (int32_t *)(void *)(scratch + model->ax_at), scratch + model->gathered_at);
    }
}

static double lesser(double a, double b) { return a < b ? a : b; }

int main(int count, char **names) {
    char error[TINYRNN_ERROR_SIZE] = "takes MODEL.native [KERNEL]";
    FILE *stored = count > 1 ? fopen(names[1], "rb") : NULL;
    uint8_t *file = aligned_alloc(64, MOST_BYTES);
    tinyrnn *model = NULL;
    if (stored && file) {
        model = tinyrnn_open(file, fread(file, 1, MOST_BYTES, stored), count > 2 ? names[2] : NULL, NULL, 0, error);
    }
    if (!model) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    const size_t features = tinyrnn_feature_size(model);
    float *frames = calloc(STEPS * features, sizeof *frames), *state = calloc(model->state_size, sizeof *state);
    float *scores = calloc(STEPS * (size_t)model->score_count, sizeof *scores);
    if (!frames || !state || !scores) {
        return 2;
    }
    for (size_t i = 0; i < STEPS * features; i++) {
        frames[i] = (float)(i * i % 2001) / 500 - 2;
    }
    double step_us = 1e9, product_us = 1e9; /* the best of many rounds: another process may have had the core */
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us();
        tinyrnn_steps(model, NULL, frames, STEPS, state, scores);
        step_us = lesser(step_us, (now_us() - start) / STEPS);
        start = now_us();
        for (int i = 0; i < STEPS; i++) {
            multiply(model, (uint8_t *)round_up((uintptr_t)model->scratch, ALIGNMENT));
        }
        product_us = lesser(product_us, (now_us() - start) / STEPS);
    }
    printf("%s %.4f %.4f\n", tinyrnn_kernel(model), step_us, product_us);
    return 0;
}
