/* Mel bands, noise reduction, PCAN gain and log: the second half of the micro front end, in integers. It is compiled
 * once for each kind of vector: frontend_bands.c and frontend_bands_avx2.c include this file, and define before
 * highest_bit, the place of the highest bit that is set: of 2 or more, for others it gives any place from 0 to 31; and
 * mel_energies: of the bins between the centres of two bands each is shared between both.
 *
 * Formulas: filterbank.c, noise_reduction.c, pcan_gain_control.c and log_scale.c of TensorFlow's
 * lite/experimental/microfrontend/lib. PCAN, per-channel amplitude normalization, is a relative of PCEN (Wang et al.
 * 2017, arXiv:1607.05666). uint32 arithmetic wraps where the library's does.
 *
 * Everything behind the sums is done to all bands before the next thing is, and without branches: the compiler makes
 * lanes of it, and nothing is guessed of what is noise.
 */
#include <math.h>
#include <string.h>

#include "frontend_bands.h"
#include "frontend_tables.h"

enum {
    /* Smoothing of the noise estimate: 0.025 and 0.06 in Q14, rounded down, for even and odd bands. */
    EVEN_SMOOTHING = 409,
    ODD_SMOOTHING = 983,
    LEAST_LEFT = 819, /* of a band at least 0.05 stays, Q14 */
    NOISE_BITS = 14,
    SMOOTHING_BITS = 10, /* fraction bits of the estimate beyond those of the signal */

    SCALE_BITS = 3,    /* 9 bits that the transform of 512 divides by, less half of the 12 bits of the weights */
    SNR_BITS = 12,     /* fraction bits of signal times gain */
    GAINED_BITS = 6,   /* of the output of PCAN */
    GAIN_SHIFT = 21 - SCALE_BITS - SNR_BITS, /* the gain is in Q21 */

    LOG_BITS = 16,
    SEGMENT_BITS = 9, /* of LOG_BITS, inside one of the 128 segments of the table */
    LN_2 = 45426,     /* Q16 */
    OUTPUT_BITS = 6
};

/* The features of pymicro-features: 10 / 256 of the integer; exact in float. */
static const float FEATURE_SCALE = 0.0390625f;

/* The square root of anything, rounded to the nearest (but down where the rounded one would not fit the library's
 * type). */
static uint32_t nearest_root(uint64_t square) {
    /* The double is only a guess, so that its precision does not matter: the two loops make it exact. */
    uint64_t root;
    if (square >> 62) { /* no sum of energies comes here */
        root = 2 * (uint64_t)(int64_t)sqrt((double)(int64_t)(square >> 2));
        root = root < UINT32_MAX ? root : UINT32_MAX;
    } else {
        root = (uint64_t)(int64_t)sqrt((double)(int64_t)square);
    }
    while (root * root > square) {
        --root;
    }
    while (square - root * root > 2 * root) {
        ++root;
    }
    /* Sums of conditions, not branches: which way they go is noise, and a wrong guess costs more than the root. */
    const uint64_t largest = (square >> 32 != 0) * (uint64_t)(UINT32_MAX - UINT16_MAX) + UINT16_MAX;
    return (uint32_t)(root + ((square - root * root > root) & (root != largest)));
}

/* The same of all bands below 2^50: their doubles are exact, and so are the products of whole roots. A double whose
 * upper bits are those of 2^52 holds, above that, what its lower bits hold. */
static void nearest_roots(const uint64_t *restrict squares, int shift, uint32_t *restrict bands) {
    for (int band = 0; band < TR_BANDS; ++band) {
        const uint64_t bits = squares[band] | 0x4330000000000000u;
        double square;
        memcpy(&square, &bits, sizeof square);
        square -= 0x1p52;
        const int32_t root = (int32_t)sqrt(square);
        const double left = square - (double)root * (double)root;
        const int32_t fits = (root != UINT16_MAX) | (square >= 0x1p32);
        bands[band] = (uint32_t)(root + ((left > (double)root) & fits)) >> shift;
    }
}

static void mel_bands(const int32_t *energies, int shift, uint32_t bands[TR_BANDS]) {
    uint64_t squares[TR_BANDS], all = 0;
    mel_energies(energies, squares);
    for (int band = 0; band < TR_BANDS; ++band) {
        all |= squares[band];
    }
    if (all < 1ull << 50) {
        nearest_roots(squares, shift, bands);
        return;
    }
    for (int band = 0; band < TR_BANDS; ++band) { /* no sum of energies comes here */
        bands[band] = nearest_root(squares[band]) >> shift;
    }
}

/* Subtract a slow estimate of the noise, which is updated first; a part of the signal always stays. */
static void without_noise(uint32_t *restrict signals, uint32_t *restrict noise) {
    for (int band = 0; band < TR_BANDS; ++band) {
        const uint32_t smoothing = band % 2 ? ODD_SMOOTHING : EVEN_SMOOTHING, kept = (1u << NOISE_BITS) - smoothing;
        const uint32_t signal = signals[band], scaled = signal << SMOOTHING_BITS;
        const uint64_t sum = (uint64_t)scaled * smoothing + (uint64_t)noise[band] * kept;
        const uint32_t estimate = (uint32_t)(sum >> NOISE_BITS);
        const uint32_t left = estimate > scaled ? 0 : (scaled - estimate) >> SMOOTHING_BITS;
        const uint32_t least = (uint32_t)(((uint64_t)signal * LEAST_LEFT) >> NOISE_BITS);
        noise[band] = estimate;
        signals[band] = left > least ? left : least;
    }
}

/* 2^21 (noise + 80)^-0.95 by one parabola an octave. */
static void gains_of(const uint32_t *restrict noise, uint32_t *restrict gains) {
    for (int band = 0; band < TR_BANDS; ++band) {
        const uint32_t of = noise[band];
        const int32_t octave = highest_bit(of);
        const uint32_t line = tr_gain_lines[octave];                   /* value, and slope in the upper half */
        const int32_t place = (int32_t)((of << (31 - octave) << 1) >> 22); /* in the octave, Q10 */
        const int32_t slope = (tr_gain_bends[octave] * place >> 5) + ((int32_t)line >> 16) * 32;
        const int32_t gain = (int16_t)((int16_t)line + ((slope * place + (1 << 14)) >> 15));
        gains[band] = (uint32_t)(of < 2 ? TR_GAIN_OF_0 - (int32_t)of * TR_GAIN_STEP : gain);
    }
}

/* Loudness against the noise: a square where it is below 2, a line above. */
static void with_gain(uint32_t *restrict signals, const uint32_t *restrict gains) {
    for (int band = 0; band < TR_BANDS; ++band) {
        const uint32_t ratio = (uint32_t)(((uint64_t)signals[band] * gains[band]) >> GAIN_SHIFT);
        const uint32_t square = ratio * ratio >> (2 + 2 * SNR_BITS - GAINED_BITS);
        const uint32_t line = (ratio >> (SNR_BITS - GAINED_BITS)) - (1u << GAINED_BITS);
        signals[band] = (ratio < 2u << SNR_BITS ? square : line) << SCALE_BITS;
    }
}

/* 64 times the natural logarithm; 0 for 0 and 1. */
static void logarithms(const uint32_t *restrict values, float *restrict features) {
    for (int band = 0; band < TR_BANDS; ++band) {
        const uint32_t value = values[band], is_more = value >= 2;
        const int32_t octave = highest_bit(value);
        const uint32_t place = (value << (31 - octave) << 1) >> (32 - LOG_BITS); /* in the octave */
        const uint32_t bows = tr_log_bows[place >> SEGMENT_BITS];
        const int32_t bow = (int32_t)(bows & UINT16_MAX), next_bow = (int32_t)(bows >> 16);
        const int32_t inside = (int32_t)(place & ((1 << SEGMENT_BITS) - 1));
        /* A shift by SEGMENT_BITS would be the line to the next point; the library's LOG_BITS make it almost a step. */
        const uint32_t fraction = place + (uint32_t)(bow + ((next_bow - bow) * inside >> LOG_BITS));
        const uint32_t log_2 = ((uint32_t)octave << LOG_BITS) + fraction;
        const uint32_t half = 1u << (LOG_BITS - 1);
        const uint32_t natural = (uint32_t)(((uint64_t)LN_2 * log_2 + half) >> LOG_BITS);
        const uint32_t output = ((natural << OUTPUT_BITS) + half) >> LOG_BITS;
        features[band] = (float)(int32_t)(output & (0 - is_more)) * FEATURE_SCALE;
    }
}

static void bands_of(const int32_t *energies, int shift, uint32_t *noise, float *features) {
    uint32_t signals[TR_BANDS], gains[TR_BANDS];
    mel_bands(energies, shift, signals);
    without_noise(signals, noise);
    gains_of(noise, gains);
    with_gain(signals, gains);
    logarithms(signals, features);
}
