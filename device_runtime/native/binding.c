/* The engine as a Python extension that works on any buffers, so that a call costs little and needs no NumPy. */
#include "binding.h"

static PyObject *kernels(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *names = PyList_New(0);
    const char *name;
    for (uint32_t at = 0; names != NULL && (name = tinyrnn_kernel_name(at)) != NULL; at++) {
        PyObject *text = PyUnicode_FromString(name);
        if (text == NULL || PyList_Append(names, text) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(text);
    }
    return names;
}

static PyMethodDef functions[] = {
    {"kernels", kernels, METH_NOARGS, "Names of the kernels that this processor runs, fastest first."},
    {NULL, NULL, 0, NULL},
};

typedef struct {
    PyObject *stream;
} types;

static int add_type(PyObject *module, const char *name, PyType_Spec *spec) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    const int result = type == NULL ? -1 : PyModule_AddObjectRef(module, name, type);
    Py_XDECREF(type);
    return result;
}

static int fill_module(PyObject *module) {
    types *kept = PyModule_GetState(module);
    kept->stream = PyType_FromModuleAndSpec(module, &stream_spec, NULL);
    return kept->stream == NULL || add_type(module, "Model", &model_spec) < 0 ||
                   add_type(module, "Frontend", &frontend_spec) < 0 || add_type(module, "Watch", &watch_spec) < 0
               ? -1
               : 0;
}

PyTypeObject *stream_type(PyTypeObject *of_model) {
    return (PyTypeObject *)((types *)PyType_GetModuleState(of_model))->stream;
}

static void free_module(void *module) { Py_CLEAR(((types *)PyModule_GetState(module))->stream); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "The native engine.", sizeof(types), functions, slots, NULL, NULL, free_module,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
