/* The native engine without Python, for boards whose Python cannot load it, and to force a kernel on the wrong one.
 *
 *     hear MODEL frames FILE OUT [KERNEL]    float32 frames
 *     hear MODEL window FILE OUT [KERNEL]    the same, as one window
 *     hear MODEL audio FILE OUT [KERNEL]     int16 samples at 16 kHz, through the front end of 5 vectors every 3
 *
 * OUT gets the scores and the state after each step, of a window the last scores; standard output the kernel's name.
 * KERNEL is taken whether or not the processor has what it needs. The work is between two marks of icount.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend.h"
#include "frontend_stack.h"
#include "model.h"

enum { MARK = 0x6d610000, STACK = 5, STRIDE = 3 };

static const kernel *const kernels[] = {
#if defined(__aarch64__)
    &tinyrnn_sdot,
#endif
#if defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
    &tinyrnn_neon,
#endif
    &tinyrnn_portable,
};

static void fail(const char *what, const char *why) {
    fprintf(stderr, "hear: %s: %s\n", what, why);
    exit(2);
}

static void *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fail(path, "cannot be read");
    }
    *size = (size_t)ftell(file);
    rewind(file);
    void *data = aligned_alloc(ALIGNMENT, round_up(*size + 1, ALIGNMENT));
    if (data == NULL || fread(data, 1, *size, file) != *size) {
        fail(path, "cannot be read");
    }
    fclose(file);
    return data;
}

static void force(tinyrnn *model, const char *name) {
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        if (strcmp(kernels[i]->name, name) == 0) {
            model->kernel = kernels[i];
            return;
        }
    }
    fail(name, "no such kernel in this program");
}

static const tinyrnn *model;
static float *state, *next; /* `next` is where the next answer goes */

static void step(const float *frame) {
    tinyrnn_steps(model, NULL, frame, 1, state, next);
    next += model->score_count;
    memcpy(next, state, sizeof(float) * model->state_size);
    next += model->state_size;
}

static void hear_audio(const int16_t *samples, size_t count) {
    static TrFrontend frontend;
    static TrStack stack;
    static float kept[STACK * TR_BANDS], vector[TR_BANDS], frame[STACK * TR_BANDS];
    tr_frontend_init(&frontend);
    tr_stack_init(&stack, STACK, STRIDE, kept);
    while (count > 0) {
        size_t used;
        if (tr_frontend_push(&frontend, samples, count, &used, vector) && tr_stack_push(&stack, vector, frame)) {
            step(frame);
        }
        samples += used;
        count -= used;
    }
}

int main(int argc, char **argv) {
    char error[TINYRNN_ERROR_SIZE];
    size_t model_size, size;
    if (argc < 5) {
        fail("usage", "hear MODEL frames|window|audio FILE OUT [KERNEL]");
    }
    void *file = read_file(argv[1], &model_size), *input = read_file(argv[3], &size);
    tinyrnn *opened = tinyrnn_open(file, model_size, NULL, NULL, 0, error);
    if (opened == NULL) {
        fail(argv[1], error);
    }
    if (argc > 5) {
        force(opened, argv[5]);
    }
    model = opened;
    const int is_audio = strcmp(argv[2], "audio") == 0;
    const size_t frame_bytes = sizeof(float) * model->feature_size;
    const size_t most = is_audio ? size / sizeof(int16_t) / TR_HOP / STRIDE + 1 : size / frame_bytes;
    float *answers = calloc(most + 1, sizeof(float) * (model->score_count + model->state_size));
    state = calloc(model->state_size, sizeof(float));
    next = answers;
    close(MARK);
    if (strcmp(argv[2], "window") == 0) {
        tinyrnn_windows(model, NULL, input, 1, most, state, next);
        next += model->score_count;
    } else if (is_audio) {
        hear_audio(input, size / sizeof(int16_t));
    } else {
        for (size_t i = 0; i < most; i++) {
            step((const float *)input + i * model->feature_size);
        }
    }
    close(MARK + 1);
    FILE *out = fopen(argv[4], "wb");
    if (out == NULL || fwrite(answers, sizeof(float), (size_t)(next - answers), out) != (size_t)(next - answers)) {
        fail(argv[4], "cannot be written");
    }
    fclose(out);
    puts(tinyrnn_kernel(model));
    return 0;
}
