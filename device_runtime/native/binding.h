/* What the parts of the Python extension share: limited API, buffers in and out. */
#ifndef TINYRNN_BINDING_H
#define TINYRNN_BINDING_H

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "tinyrnn.h"

/* Arrays that were answers: one that the caller has let go is the next answer, for making arrays costs as much as a
 * small model's products. Two, as a stream holds the state that goes in while the next one comes out. */
typedef struct {
    PyObject *of[2];
    int oldest;
} answers;

/* A Python Model: the engine's, and the copy of its file that nobody can change. */
typedef struct {
    PyObject_HEAD
    tinyrnn *model;
    void *memory;
    answers scores, states;
} Model;

/* What a buffer holds; bytes are taken for such values. */
typedef struct {
    const char *name;
    const char *format; /* of the struct module */
    Py_ssize_t size;
} element;

extern const element float32, int16;

/* Take `count` times `size` elements of a buffer; one line says what is wrong otherwise, and -1 comes back. A `count`
 * of -1 takes as many as there are, and is told. */
int take(PyObject *object, const char *name, const element *kind, Py_ssize_t *count, Py_ssize_t size, int writable,
         Py_buffer *view);

/* Look for NumPy, if it is imported; from then on its arrays cost less. */
void numpy_find(void);

/* Fill in where an array of float32 lies and how long it is; 0 if it is no such array or NumPy was not found. */
int numpy_view(PyObject *object, int writable, Py_buffer *view);

/* A new array of float32 of one or two dimensions, not yet filled; it needs NumPy. */
PyObject *numpy_floats(int dimensions, const Py_ssize_t *shape, float **data);

/* numpy.ascontiguousarray(object, float32) */
PyObject *numpy_plain(PyObject *object);

/* A row of so many float32 as an answer, not yet filled: one of those that nobody else holds, or a new one. */
PyObject *numpy_answer(answers *kept, Py_ssize_t size, float **data);

extern PyType_Spec model_spec, stream_spec, frontend_spec, watch_spec;

/* The type of Model.stream's answers, which lies in the module. */
PyTypeObject *stream_type(PyTypeObject *of_model);

/* Model.windows(frames, state, scores) */
PyObject *model_windows(PyObject *self, PyObject *const *args, Py_ssize_t given);

/* Model.stream(stride=0) */
PyObject *model_stream(PyObject *self, PyObject *const *args, Py_ssize_t given);

#endif
