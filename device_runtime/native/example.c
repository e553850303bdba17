/* The scores of each word, step by step: example MODEL.native [SOUND], where the sound is a WAV file or raw samples of
 * 16 kHz, 16 bits and one channel; without SOUND it comes from standard input. */
#include "example_wav.h"
#include "tinyrnn.h"

enum { CHUNK = 160, WORDS = 256 }; /* samples of 10 ms, which lead to one step at most */
static _Alignas(64) uint8_t file[1 << 20]; /* firmware has it in flash */

static int fail(const char *name, const char *why) { return fprintf(stderr, "%s: %s\n", name, why), 2; }

int main(int count, char **names) {
    char error[TINYRNN_ERROR_SIZE] = "has too many words for this program";
    int16_t samples[CHUNK];
    float scores[WORDS];
    FILE *stored = count > 1 ? fopen(names[1], "rb") : NULL, *sound = count > 2 ? fopen(names[2], "rb") : stdin;
    if (!stored || !sound) {
        return fail(count > 1 ? names[stored ? 2 : 1] : names[0], "takes MODEL.native [SOUND], files that can be read");
    }
    tinyrnn *model = tinyrnn_open(file, fread(file, 1, sizeof file, stored), NULL, NULL, 0, error);
    tinyrnn_stream *stream = model ? tinyrnn_stream_open(model, 0, NULL, error) : NULL;
    int first = begin_sound(sound, (uint8_t *)samples);
    if (!stream || tinyrnn_score_count(model) > WORDS || first < 0) {
        return fail(names[first < 0 ? 2 : 1], first < 0 ? "must have 16 kHz, 16 bits and one channel" : error);
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
    tinyrnn_stream_close(stream);
    tinyrnn_close(model);
    return 0;
}
