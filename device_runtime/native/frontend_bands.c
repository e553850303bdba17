/* Mel bands, noise reduction, PCAN gain and log: the second half of the micro front end, in integers.
 *
 * Formulas: filterbank.c, noise_reduction.c, pcan_gain_control.c and log_scale.c of TensorFlow's
 * lite/experimental/microfrontend/lib; PCAN: Lostanlen et al. 2019, "Per-channel energy normalization: why and how",
 * after Wang et al. 2017 (arXiv:1607.05666). uint32 arithmetic wraps where the library's does.
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
    GAIN_SHIFT = 21 - SCALE_BITS - SNR_BITS,

    LOG_BITS = 16,
    SEGMENT_BITS = 9, /* of LOG_BITS, inside one of the 128 segments of the table */
    LN_2 = 45426,     /* Q16 */
    OUTPUT_BITS = 6
};

/* The features of pymicro-features: 10 / 256 of the integer; exact in float. */
static const float FEATURE_SCALE = 0.0390625f;

/* Position of the highest 1 (0 for 1); value > 0. */
static int highest_bit(uint32_t value) {
#if defined(__GNUC__)
    return 31 - __builtin_clz(value);
#else
    int bit = 0;
    for (int step = 16; step > 0; step >>= 1)
        if (value >> (bit + step))
            bit += step;
    return bit;
#endif
}

/* The square root, rounded to the nearest, and down where the library's result would not fit its type. */
static uint32_t nearest_root(uint64_t square) {
    /* The double is only a guess: the two loops make it exact whatever the precision of sqrt. */
    uint64_t root = (uint64_t)sqrt((double)square);
    if (root > UINT32_MAX)
        root = UINT32_MAX;
    while (root * root > square)
        --root;
    while (square - root * root > 2 * root)
        ++root;
    const uint32_t largest = square >> 32 ? UINT32_MAX : UINT16_MAX;
    return (uint32_t)root + (square - root * root > root && root != largest);
}

/* Each bin is shared between the bands below and above its gap; a band is the root of its energy. */
static void mel_bands(const int32_t *energies, int shift, uint32_t bands[TR_BANDS]) {
    uint64_t rising = 0; /* what the gap below gives to this band */
    for (int gap = 0; gap <= TR_BANDS; ++gap) {
        uint64_t below = rising, above = 0;
        for (int bin = tr_gap_starts[gap]; bin < tr_gap_starts[gap + 1]; ++bin) {
            below += (uint64_t)((int64_t)energies[bin] * tr_falling[bin - TR_FIRST_BIN]);
            above += (uint64_t)((int64_t)energies[bin] * tr_rising[bin - TR_FIRST_BIN]);
        }
        if (gap > 0)
            bands[gap - 1] = nearest_root(below) >> shift;
        rising = above;
    }
}

/* Subtract a slow estimate of the noise, which is updated first; a part of the signal always stays. */
static uint32_t without_noise(uint32_t signal, uint32_t *noise, uint32_t smoothing) {
    const uint32_t scaled = signal << SMOOTHING_BITS;
    const uint32_t estimate =
        (uint32_t)(((uint64_t)scaled * smoothing + (uint64_t)*noise * ((1u << NOISE_BITS) - smoothing)) >> NOISE_BITS);
    *noise = estimate;
    const uint32_t left = estimate > scaled ? 0 : (scaled - estimate) >> SMOOTHING_BITS;
    const uint32_t least = (uint32_t)(((uint64_t)signal * LEAST_LEFT) >> NOISE_BITS);
    return left > least ? left : least;
}

/* 2^21 (noise + 80)^-0.95 by one parabola an octave. */
static int32_t gain(uint32_t noise) {
    if (noise < 2)
        return tr_gain_start[noise];
    const int octave = highest_bit(noise);
    const int16_t *const curve = tr_gain_curve + 3 * (octave - 1); /* value, slope, bend */
    const int32_t place = (octave < 10 ? noise << (10 - octave) : noise >> (octave - 10)) & 1023;
    const int32_t slope = (curve[2] * place >> 5) + curve[1] * 32;
    return (int16_t)(curve[0] + ((slope * place + (1 << 14)) >> 15));
}

/* Loudness against the noise: a square where it is below 2, a line above. */
static uint32_t with_gain(uint32_t signal, uint32_t noise) {
    const uint32_t ratio = (uint32_t)(((uint64_t)signal * (uint32_t)gain(noise)) >> GAIN_SHIFT);
    if (ratio < 2u << SNR_BITS)
        return ratio * ratio >> (2 + 2 * SNR_BITS - GAINED_BITS);
    return (ratio >> (SNR_BITS - GAINED_BITS)) - (1u << GAINED_BITS);
}

/* 64 times the natural logarithm; 0 for 0 and 1. */
static uint32_t logarithm(uint32_t value) {
    if (value < 2)
        return 0;
    const int octave = highest_bit(value);
    const uint32_t rest = value - (1u << octave);
    const int32_t place = (int32_t)(octave < LOG_BITS ? rest << (LOG_BITS - octave) : rest >> (octave - LOG_BITS));
    const int segment = place >> SEGMENT_BITS;
    const int32_t bow = tr_log_bow[segment], next_bow = tr_log_bow[segment + 1];
    const int32_t inside = place - (segment << SEGMENT_BITS);
    const uint32_t fraction = (uint32_t)(place + bow + ((next_bow - bow) * inside >> LOG_BITS));
    const uint32_t log_2 = ((uint32_t)octave << LOG_BITS) + fraction;
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
