/* The real Fourier transform of the speech front end: 512 points, int16 with the rounding of kissfft's 16-bit build. */
#ifndef TR_FFT_H
#define TR_FFT_H

#include <stdint.h>

#include "frontend.h"

enum { TR_HALF = 256 }; /* complex points: sample 2n is the real part of point n, sample 2n + 1 the imaginary one */

/* Squared magnitudes of bins 1..255 (energies[0] is not written) of the weighed samples and zeros behind them, divided
 * by 512^2. Before, the window is scaled up by as many bits as it can be and stay in int16: they are returned. `work`
 * is room for four arrays of as many numbers as there are points, which are pairs of samples. */
int tr_spectrum(const int16_t samples[TR_WINDOW], int16_t work[4 * TR_HALF], int32_t energies[TR_HALF]);

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__) && !defined(TR_NO_AVX2)
#define TR_FFT_AVX2
int tr_spectrum_avx2(const int16_t samples[TR_WINDOW], int16_t work[4 * TR_HALF], int32_t energies[TR_HALF]);
#endif

#endif
