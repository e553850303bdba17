/* The scores of each word, step by step: example MODEL.native [SOUND], where the sound is a WAV file or raw samples of
 * 16 kHz, 16 bits and one channel; without SOUND it comes from standard input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tinyrnn.h"

enum { CHUNK = 160 }; /* samples of 10 ms: they lead to one step at most */

static _Alignas(64) uint8_t file[1 << 20]; /* firmware has it in flash */
static const uint8_t wanted[16] = {1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0}; /* a WAV file's format */

/* Go to the first sample; returns how many bytes of samples are in `head` already, -1 if it is another kind of WAV. */
static int begin(FILE *sound, uint8_t head[16]) {
    size_t got = fread(head, 1, 12, sound);
    if (got < 12 || memcmp(head, "RIFF", 4) != 0) {
        return (int)got;
    }
    while (fread(head, 1, 8, sound) == 8 && memcmp(head, "data", 4) != 0) {
        int is_format = memcmp(head, "fmt ", 4) == 0;
        uint32_t size = head[4] | (uint32_t)head[5] << 8 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 24;
        size += size % 2 - (is_format && size >= 16 ? 16 : 0);
        if (is_format && (fread(head, 1, 16, sound) < 16 || memcmp(head, wanted, 16) != 0)) {
            return -1;
        }
        while (size-- > 0 && fgetc(sound) != EOF) {
        }
    }
    return 0;
}

static int fail(const char *name, const char *why) {
    fprintf(stderr, "%s: %s\n", name, why);
    return 2;
}

int main(int count, char **names) {
    char error[TINYRNN_ERROR_SIZE];
    int16_t samples[CHUNK];
    FILE *stored = count > 1 ? fopen(names[1], "rb") : NULL, *sound = count > 2 ? fopen(names[2], "rb") : stdin;
    if (!stored || !sound) {
        return fail(count > 1 ? names[stored ? 2 : 1] : names[0], "takes MODEL.native [SOUND], files that can be read");
    }
    tinyrnn *model = tinyrnn_open(file, fread(file, 1, sizeof file, stored), NULL, NULL, 0, error);
    tinyrnn_stream *stream = model ? tinyrnn_stream_open(model, 0, NULL, error) : NULL;
    float *scores = model ? calloc(tinyrnn_score_count(model), sizeof *scores) : NULL;
    int first = begin(sound, (uint8_t *)samples);
    if (!stream || !scores) {
        return fail(names[1], error);
    }
    if (first < 0) {
        return fail(names[2], "must have 16 kHz, 16 bits and one channel");
    }
    unsigned long heard = 0;
    size_t got = (size_t)first / sizeof *samples;
    do {
        heard += got;
        if (tinyrnn_stream_push(stream, NULL, samples, got, scores)) {
            printf("%7.2f s", (double)(heard / CHUNK) / 100);
            for (uint32_t i = 0; i < tinyrnn_score_count(model); i++) {
                printf("  %s %.4f", tinyrnn_label(model, i), (double)scores[i]);
            }
            putchar('\n');
        }
    } while ((got = fread(samples, sizeof *samples, CHUNK, sound)) > 0);
    free(scores);
    tinyrnn_stream_close(stream);
    tinyrnn_close(model);
    return 0;
}
