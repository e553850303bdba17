/* Whether the mean probability of a label may have reached the threshold at which it fires, or fallen to its release:
 * nearly always it is far from both, and the exact means, which NumPy makes, are then nobody's business. Here they are
 * near enough to be sure of that, and no nearer. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

enum {
    ONE = 1 << 20,     /* a probability of 1; sums of integers do not drift */
    MOST_WINDOW = 1024 /* steps, so that no sum leaves an int32 */
};

static const double NEAR = 1e-3; /* of what something happens at: far more than all that is rounded here */

typedef struct {
    PyObject_HEAD
    uint32_t labels, window;
    uint32_t at, missing; /* of the window: where the next step goes, steps until it is full */
    float *powers;        /* (labels,) of the newest step */
    int32_t *low, *high;  /* (labels,) sums between which nothing happens */
    int32_t *sums;        /* (labels,) over the window */
    int32_t *recent;      /* (window, labels) */
    double *thresholds, *releases; /* (labels,) */
} Watch;

/* e^v for v <= 0, less than 1e-5 of it beside it; e^-80 stands for all that is less. */
static inline float power(float v) {
    const float of_2 = (v > -80.0f ? v : -80.0f) * 1.44269504f;
    const int32_t whole = (int32_t)of_2;
    const float part = of_2 - (float)whole; /* -1..0 */
    const float cubic = 0.23934105f + part * (0.05307404f + part * 0.00676707f);
    const float mantissa = 0.99999741f + part * (0.69303019f + part * cubic);
    const int32_t bits = (whole + 127) * (1 << 23);
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return mantissa * scale;
}

/* Takes the scores of a step; may something happen? */
static int is_near(Watch *self, const float *restrict scores) {
    const uint32_t labels = self->labels;
    float *restrict powers = self->powers;
    int32_t *restrict sums = self->sums, *restrict oldest = self->recent + (size_t)self->at * labels;
    const int32_t *restrict low = self->low, *restrict high = self->high;
    float largest = scores[0], all = 0;
    int32_t outside = 0;
    for (uint32_t i = 1; i < labels; i++) {
        largest = scores[i] > largest ? scores[i] : largest;
    }
    for (uint32_t i = 0; i < labels; i++) {
        powers[i] = power(scores[i] - largest);
    }
    for (uint32_t i = 0; i < labels; i++) {
        all += powers[i];
    }
    for (uint32_t i = 0; i < labels; i++) {
        const int32_t probability = (int32_t)(powers[i] / all * ONE);
        sums[i] += probability - oldest[i];
        oldest[i] = probability;
        outside |= (sums[i] <= low[i]) | (sums[i] >= high[i]);
    }
    self->at = self->at + 1 == self->window ? 0 : self->at + 1;
    self->missing -= self->missing > 0;
    return outside && self->missing == 0;
}

static PyObject *watch_push(PyObject *object, PyObject *scores) {
    Watch *self = (Watch *)object;
    Py_ssize_t steps = -1;
    Py_buffer view;
    int near = 0;
    if (take(scores, "scores", &float32, &steps, self->labels, 0, &view) < 0) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < steps; i++) {
        near |= is_near(self, (const float *)view.buf + i * (Py_ssize_t)self->labels);
    }
    PyBuffer_Release(&view);
    return PyBool_FromLong(near);
}

/* The nearest whole number beyond the mean, which an int32 takes. */
static int32_t sum_at(const Watch *self, double mean) {
    const double sum = mean * ONE * self->window;
    return sum < -1 ? -1 : sum < INT32_MAX - 1 ? (int32_t)sum : INT32_MAX - 1;
}

/* Labels that are armed may fire; the others may be armed again. */
static void arm(Watch *self, const char *is_armed) {
    for (uint32_t i = 0; i < self->labels; i++) {
        const int armed = is_armed == NULL || is_armed[i];
        self->high[i] = armed ? sum_at(self, self->thresholds[i] - NEAR) : INT32_MAX;
        self->low[i] = armed ? -1 : sum_at(self, self->releases[i] + NEAR) + 1;
    }
}

static PyObject *watch_arm(PyObject *object, PyObject *is_armed) {
    Watch *self = (Watch *)object;
    Py_buffer view;
    if (PyObject_GetBuffer(is_armed, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const int fits = view.len == (Py_ssize_t)self->labels;
    if (fits) {
        arm(self, view.buf);
    } else {
        PyErr_Format(PyExc_ValueError, "armed must have %u bytes, one a label, got %zd", self->labels, view.len);
    }
    PyBuffer_Release(&view);
    return fits ? Py_NewRef(Py_None) : NULL;
}

static PyObject *watch_reset(PyObject *object, PyObject *unused) {
    Watch *self = (Watch *)object;
    (void)unused;
    self->at = 0, self->missing = self->window;
    memset(self->sums, 0, sizeof *self->sums * self->labels);
    memset(self->recent, 0, sizeof *self->recent * self->labels * self->window);
    arm(self, NULL);
    return Py_NewRef(Py_None);
}

/* All its arrays are one piece of memory. */
static int lay_out(Watch *self, const Py_buffer *thresholds, const Py_buffer *releases) {
    const size_t labels = self->labels;
    self->thresholds = calloc(labels, 2 * sizeof(double) + (size_t)(self->window + 4) * sizeof(int32_t));
    if (self->thresholds == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->releases = self->thresholds + labels;
    self->powers = (float *)(void *)(self->releases + labels);
    self->low = (int32_t *)(void *)(self->powers + labels);
    self->high = self->low + labels, self->sums = self->high + labels, self->recent = self->sums + labels;
    memcpy(self->thresholds, thresholds->buf, labels * sizeof(double));
    memcpy(self->releases, releases->buf, labels * sizeof(double));
    self->at = 0, self->missing = self->window;
    arm(self, NULL);
    return 0;
}

static PyObject *watch_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    static char *names[] = {"thresholds", "releases", "window", NULL};
    Py_buffer thresholds, releases;
    unsigned int window;
    Watch *self = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "y*y*I", names, &thresholds, &releases, &window)) {
        return NULL;
    }
    const size_t labels = (size_t)thresholds.len / sizeof(double);
    if (labels < 1 || labels > UINT16_MAX || releases.len != thresholds.len || window < 1 || window > MOST_WINDOW) {
        PyErr_Format(PyExc_ValueError,
                     "a watch takes 1 to %d thresholds, as many releases and a window of 1 to %d steps, got %zu, %zu "
                     "and %u", UINT16_MAX, MOST_WINDOW, labels, (size_t)releases.len / sizeof(double), window);
    } else {
        self = PyObject_New(Watch, type);
    }
    if (self != NULL) {
        self->labels = (uint32_t)labels, self->window = window;
        if (lay_out(self, &thresholds, &releases) < 0) {
            Py_CLEAR(self);
        }
    }
    PyBuffer_Release(&thresholds);
    PyBuffer_Release(&releases);
    return (PyObject *)self;
}

static void watch_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    free(((Watch *)object)->thresholds);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyMethodDef watch_methods[] = {
    {"push", watch_push, METH_O,
     "push(scores): take the scores of some steps; may a label have fired or been armed again? Only no is sure."},
    {"arm", watch_arm, METH_O, "arm(armed): from now on these labels may fire, and the others may be armed again."},
    {"reset", watch_reset, METH_NOARGS, "Forget everything heard so far."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot watch_slots[] = {
    {Py_tp_doc, "Watch(thresholds, releases, window): float64 means over so many steps at which a label fires, and "
                "below which it may fire again; inf for never."},
    {Py_tp_new, watch_new},
    {Py_tp_dealloc, watch_dealloc},
    {Py_tp_methods, watch_methods},
    {0, NULL},
};

PyType_Spec watch_spec = {
    "device_runtime.native._native.Watch", sizeof(Watch), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, watch_slots,
};
