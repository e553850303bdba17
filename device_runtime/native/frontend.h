/* The speech front end: 16 kHz samples in, 40 mel bands every 10 ms out, bit for bit those of `pymicro-features`.
 *
 * The algorithm is the fixed-point "micro front end" of TensorFlow Lite Micro (lite/experimental/microfrontend):
 * Hann window of 30 ms -> real transform of 512 points in int16 -> mel bands -> noise reduction -> PCAN gain -> log.
 * All of it is integer arithmetic, so every CPU and every compiler gives the same bits.
 *
 *     TrFrontend frontend;              // fixed size, no allocation ever
 *     tr_frontend_init(&frontend);
 *     while (count > 0) {
 *         size_t used;
 *         if (tr_frontend_push(&frontend, samples, count, &used, features))
 *             step(features);           // a vector of 40, every 160 samples once the first 480 are there
 *         samples += used;
 *         count -= used;
 *     }
 */
#ifndef TR_FRONTEND_H
#define TR_FRONTEND_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TR_RATE_HZ = 16000,
    TR_WINDOW = 480, /* samples, 30 ms */
    TR_HOP = 160,    /* samples, 10 ms */
    TR_BANDS = 40,
    TR_TRANSFORM = 512 /* the next power of two above the window */
};

/* What one stream remembers, and room to work in. Its fields are for frontend.c alone. */
typedef struct TrFrontend {
    int16_t heard[TR_WINDOW]; /* the newest samples */
    size_t heard_count;
    uint32_t noise[TR_BANDS]; /* estimate of the noise in each band, with 10 bits of fraction */
    int16_t work[2 * TR_TRANSFORM];
    int32_t energies[TR_TRANSFORM / 2]; /* of the bins of the transform */
} TrFrontend;

/* For those who cannot see the struct: how many bytes it takes, aligned for a pointer. */
size_t tr_frontend_size(void);

/* Start a stream. Needed once before the first push. */
void tr_frontend_init(TrFrontend *frontend);

/* Forget everything heard so far; equals a fresh one. */
void tr_frontend_reset(TrFrontend *frontend);

/* Take samples until they are used up or a vector is ready. `consumed` says how many were taken; the return value is 1
 * when `features` was written, else 0 (then all samples were taken and `features` is as it was). How the samples are
 * cut into calls changes nothing. */
int tr_frontend_push(TrFrontend *frontend, const int16_t *samples, size_t count, size_t *consumed,
                     float features[TR_BANDS]);

#ifdef __cplusplus
}
#endif

#endif
