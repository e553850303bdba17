/* Mel bands, noise reduction, PCAN gain and log: the second half of the micro front end, in integers.
 *
 * Formulas: filterbank.c, noise_reduction.c, pcan_gain_control.c and log_scale.c of TensorFlow's
 * lite/experimental/microfrontend/lib. PCAN, per-channel amplitude normalization, is a relative of PCEN (Wang et al.
 * 2017, arXiv:1607.05666). uint32 arithmetic wraps where the library's does.
 */
#include "frontend_bands.h"

#include <math.h>

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

    WEIGHT_BITS = 12,
    LOG_BITS = 16,
    SEGMENT_BITS = 9, /* of LOG_BITS, inside one of the 128 segments of the table */
    LN_2 = 45426,     /* Q16 */
    OUTPUT_BITS = 6
};

/* The features of pymicro-features: 10 / 256 of the integer; exact in float. */
static const float FEATURE_SCALE = 0.0390625f;

/* value > 0 */
static inline int leading_zeros(uint32_t value) {
#if defined(__GNUC__)
    return __builtin_clz(value);
#else
    int zeros = 0;
    for (int step = 16; step > 0; step >>= 1) {
        if (value >> (32 - step) == 0) {
            zeros += step;
            value <<= step;
        }
    }
    return zeros;
#endif
}

/* The square root, rounded to the nearest (but down where the rounded one would not fit the library's type). */
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

/* Each bin is shared between the bands below and above its gap; a band is the root of its energy. */
static void mel_bands(const int32_t *energies, int shift, uint32_t bands[TR_BANDS]) {
    uint64_t from_below = 0;
    for (int gap = 0; gap <= TR_BANDS; ++gap) {
        int64_t all = 0, weighed = 0; /* below 2^48: at most 15 bins of 2^31, times 2^12 */
        for (int bin = tr_gap_starts[gap]; bin < tr_gap_starts[gap + 1]; ++bin) {
            all += energies[bin];
            weighed += (int64_t)energies[bin] * tr_weights[bin - TR_FIRST_BIN];
        }
        if (gap > 0) {
            bands[gap - 1] = nearest_root(from_below + (uint64_t)weighed) >> shift;
        }
        from_below = (uint64_t)(all * (1 << WEIGHT_BITS) - weighed);
    }
}

/* Subtract a slow estimate of the noise, which is updated first; a part of the signal always stays. */
static inline uint32_t without_noise(uint32_t signal, uint32_t *noise, uint32_t smoothing) {
    const uint32_t scaled = signal << SMOOTHING_BITS;
    const uint32_t estimate =
        (uint32_t)(((uint64_t)scaled * smoothing + (uint64_t)*noise * ((1u << NOISE_BITS) - smoothing)) >> NOISE_BITS);
    *noise = estimate;
    const uint32_t left = estimate > scaled ? 0 : (scaled - estimate) >> SMOOTHING_BITS;
    const uint32_t least = (uint32_t)(((uint64_t)signal * LEAST_LEFT) >> NOISE_BITS);
    return left > least ? left : least;
}

/* 2^21 (noise + 80)^-0.95 by one parabola an octave. */
static inline int32_t gain(uint32_t noise) {
    if (noise < 2) {
        return tr_gain_start[noise];
    }
    const int zeros = leading_zeros(noise);
    const int16_t *const curve = tr_gain_curve + 3 * (30 - zeros); /* value, slope, bend */
    const int32_t place = (int32_t)((noise << zeros << 1) >> 22);  /* in the octave, Q10 */
    const int32_t slope = (curve[2] * place >> 5) + curve[1] * 32;
    return (int16_t)(curve[0] + ((slope * place + (1 << 14)) >> 15));
}

/* Loudness against the noise: a square where it is below 2, a line above. */
static inline uint32_t with_gain(uint32_t signal, uint32_t noise) {
    const uint32_t ratio = (uint32_t)(((uint64_t)signal * (uint32_t)gain(noise)) >> GAIN_SHIFT);
    const uint32_t square = ratio * ratio >> (2 + 2 * SNR_BITS - GAINED_BITS);
    const uint32_t line = (ratio >> (SNR_BITS - GAINED_BITS)) - (1u << GAINED_BITS);
    return ratio < 2u << SNR_BITS ? square : line;
}

/* 64 times the natural logarithm; 0 for 0 and 1. */
static inline uint32_t logarithm(uint32_t value) {
    if (value < 2) {
        return 0;
    }
    const int zeros = leading_zeros(value);
    const uint32_t place = (value << zeros << 1) >> (32 - LOG_BITS); /* in the octave */
    const uint32_t segment = place >> SEGMENT_BITS;
    const int32_t bow = tr_log_bow[segment], next_bow = tr_log_bow[segment + 1];
    const int32_t inside = (int32_t)(place & ((1 << SEGMENT_BITS) - 1));
    /* A shift by SEGMENT_BITS would be the line to the next point; the library's LOG_BITS make it almost a step. */
    const uint32_t fraction = place + (uint32_t)(bow + ((next_bow - bow) * inside >> LOG_BITS));
    const uint32_t log_2 = ((uint32_t)(31 - zeros) << LOG_BITS) + fraction;
    const uint32_t half = 1u << (LOG_BITS - 1);
    const uint32_t natural = (uint32_t)(((uint64_t)LN_2 * log_2 + half) >> LOG_BITS);
    return ((natural << OUTPUT_BITS) + half) >> LOG_BITS;
}

void tr_frontend_bands(const int32_t energies[TR_TRANSFORM / 2], int shift, uint32_t noise[TR_BANDS],
                       float features[TR_BANDS]) {
    uint32_t bands[TR_BANDS];
    mel_bands(energies, shift, bands);
    for (int band = 0; band < TR_BANDS; ++band) {
        const uint32_t signal = without_noise(bands[band], noise + band, band % 2 ? ODD_SMOOTHING : EVEN_SMOOTHING);
        const uint32_t loud = with_gain(signal, noise[band]);
        features[band] = (float)logarithm(loud << SCALE_BITS) * FEATURE_SCALE;
    }
}
