/* The real Fourier transform of the speech front end: 512 points, int16 with the rounding of kissfft's 16-bit build. */
#ifndef TR_FFT_H
#define TR_FFT_H

#include <stdint.h>

enum { TR_HALF = 256 }; /* complex points: sample 2n is the real part of point n, sample 2n + 1 the imaginary one */

/* Squared magnitudes of bins 1..255 (energies[0] is not written) of the transform of 256 complex points, divided by
 * 512^2. `work` holds four arrays of 256: real and imaginary parts of the input, which is lost, and as many more. */
void tr_fft_energies(int16_t work[4 * TR_HALF], int32_t energies[TR_HALF]);

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__) && !defined(TR_NO_AVX2)
#define TR_FFT_AVX2
void tr_fft_energies_avx2(int16_t work[4 * TR_HALF], int32_t energies[TR_HALF]); /* where the processor has it */
#endif

#endif
