/* The real transform for x86 from Haswell (2013) on: the same integers, 8 points an instruction. */
#include "fft.h"

#ifdef TR_FFT_AVX2
#include <immintrin.h>
#include <string.h>

#include "frontend_tables.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define POINTS 8
typedef __m256i points;
static inline points load(const int16_t *v) { return _mm256_loadu_si256((const __m256i *)(const void *)v); }
static inline void store(int16_t *to, points v) { _mm256_storeu_si256((__m256i *)(void *)to, v); }
static inline points everywhere_int16(int16_t v) { return _mm256_set1_epi16(v); }
static inline points plus(points a, points b) { return _mm256_add_epi16(a, b); }
static inline points minus(points a, points b) { return _mm256_sub_epi16(a, b); }
static inline points fraction(points v, int16_t q15) { return _mm256_mulhrs_epi16(v, _mm256_set1_epi16(q15)); }
static inline points squares(points v) { return _mm256_madd_epi16(v, v); }
static inline points larger(points a, points b) { return _mm256_max_epi16(a, b); }
static inline points magnitude(points v) { return _mm256_abs_epi16(v); } /* of -32768 it is -32768 */
static inline points scaled_up(points v, int bits) { return _mm256_sll_epi16(v, _mm_cvtsi32_si128(bits)); }

static inline points everywhere(const int16_t *point) {
    int32_t both;
    memcpy(&both, point, sizeof both);
    return _mm256_set1_epi32(both);
}

static inline points conjugate(points v) { return _mm256_sign_epi16(v, _mm256_set1_epi32((int32_t)0xffff0001)); }

/* (im, -re) */
static inline points by_minus_i(points v) {
    const __m128i swap = _mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2);
    return conjugate(_mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(swap)));
}

static inline points reversed(points v) {
    return _mm256_permutevar8x32_epi32(v, _mm256_set_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* (a * b) >> 12 */
static inline points product_q12(points a, points b) {
    return _mm256_or_si256(_mm256_slli_epi16(_mm256_mulhi_epi16(a, b), 4),
                           _mm256_srli_epi16(_mm256_mullo_epi16(a, b), 12));
}

static inline int largest_of(points v) {
    const __m128i four = _mm_max_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return 0xffff & ~_mm_cvtsi128_si32(_mm_minpos_epu16(_mm_xor_si128(four, _mm_set1_epi16(-1))));
}

/* Of one and the other, in turns. */
static inline points mixed(points re, points im) { return _mm256_blend_epi16(re, im, 0xaa); }

/* (a + b) >> 1 and (a - b) >> 1 of what 16 bits may not hold: the mean of unsigned numbers rounds up, and so that of
 * their complements down. Of a difference, the imaginary part is the other way round. */
static inline points half_sum(points a, points b) {
    const points flip = _mm256_set1_epi16(0x7fff);
    return _mm256_xor_si256(_mm256_avg_epu16(_mm256_xor_si256(a, flip), _mm256_xor_si256(b, flip)), flip);
}

static inline points half_difference(points a, points b) {
    const points sign = _mm256_set1_epi16(-32768), flip = _mm256_set1_epi16(0x7fff);
    const points from = _mm256_xor_si256(mixed(a, b), sign), less = _mm256_xor_si256(mixed(b, a), flip);
    return _mm256_xor_si256(_mm256_avg_epu16(from, less), sign);
}

/* The 16 bits of the result lie 15 bits up in each sum, and are brought into their half of the lane. */
#define TURNED(v, by)                                                                                                 \
    mixed(_mm256_srli_epi32(_mm256_add_epi32(_mm256_madd_epi16(v, (by).straight), _mm256_set1_epi32(1 << 14)), 15),   \
          _mm256_slli_epi32(_mm256_add_epi32(_mm256_madd_epi16(v, (by).across), _mm256_set1_epi32(1 << 14)), 1))

/* 8 columns of 16 rows, as rows of points 8 * part and on. */
static inline void load_transposed(const int16_t *from, int part, points to[16]) {
    for (int columns = 0; columns < 16; columns += 4) {
        __m256i row[4], pair[4];
        for (int i = 0; i < 4; i++) {
            const int16_t *at = from + 32 * (8 * part + i) + 2 * columns;
            row[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)at)),
                                             _mm_loadu_si128((const __m128i *)(const void *)(at + 32 * 4)), 1);
        }
        for (int i = 0; i < 2; i++) {
            pair[2 * i] = _mm256_unpacklo_epi32(row[2 * i], row[2 * i + 1]);
            pair[2 * i + 1] = _mm256_unpackhi_epi32(row[2 * i], row[2 * i + 1]);
        }
        for (int i = 0; i < 2; i++) {
            to[columns + 2 * i] = _mm256_unpacklo_epi64(pair[i], pair[2 + i]);
            to[columns + 2 * i + 1] = _mm256_unpackhi_epi64(pair[i], pair[2 + i]);
        }
    }
}

#include "fft_lanes.h"

int tr_spectrum_avx2(const int16_t samples[TR_WINDOW], int16_t work[4 * TR_HALF], int32_t energies[TR_HALF]) {
    return spectrum(samples, work, energies);
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
