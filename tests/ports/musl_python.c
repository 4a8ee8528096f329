/*
 * The main function of python3 for musl. The programs of cx_Freeze contain all of CPython but this. The loader loads
 * this library with such a program, and it calls the function below instead of the program's own.
 *
 * As far as the tests need it: python3 [-X dev] [-W FILTER] (-c CODE | -m MODULE | FILE) [ARGUMENT ...]
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* Declared here, because Python.h depends on the configuration of CPython. */
wchar_t *Py_DecodeLocale(const char *text, size_t *size);
void Py_SetProgramName(const wchar_t *name);
void Py_SetPythonHome(const wchar_t *home);
void Py_Initialize(void);
void PySys_SetArgvEx(int argc, wchar_t **argv, int update_path);
int PyRun_SimpleStringFlags(const char *code, void *flags);
int Py_FinalizeEx(void);

/* Does what CPython's main function does after the initialization. */
static const char RUN[] =
    "import sys\n"
    "def run(main):\n"
    "    import atexit, os, runpy, signal\n"
    "    def end():\n"
    "        if interrupted:\n"
    "            signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "            os.kill(os.getpid(), signal.SIGINT)\n"
    "    interrupted = []\n"
    "    atexit.register(end)\n"
    "    del main['run']\n"
    "    try:\n"
    "        if sys.argv[0] == '-m':\n"
    "            sys.path.insert(0, os.getcwd())\n"
    "            sys.argv.pop(0)\n"
    "            return runpy._run_module_as_main(sys.argv[0])\n"
    "        if sys.argv[0] == '-c':\n"
    "            sys.path.insert(0, '')\n"
    "            code, name = sys.argv.pop(1), '<string>'\n"
    "        else:\n"
    "            name = main['__file__'] = sys.argv[0]\n"
    "            sys.path.insert(0, os.path.dirname(os.path.realpath(name)))\n"
    "            with open(name, 'rb') as file:\n"
    "                code = file.read()\n"
    "        exec(compile(code, name, 'exec'), main)\n"
    "    except KeyboardInterrupt:\n"
    "        interrupted.append(True)\n"
    "        raise\n"
    "run(globals())\n";

static int run_python(int argc, char **argv, char **envp)
{
    wchar_t **arguments = calloc((size_t)argc, sizeof *arguments);
    char home[4096];
    Dl_info self;
    int i, count = 0, first = 1, failed;

    (void)envp;
    for (; argc > first + 2; first += 2) {
        if (strcmp(argv[first], "-X") == 0 && strcmp(argv[first + 1], "dev") == 0)
            setenv("PYTHONDEVMODE", "1", 1);
        else if (strcmp(argv[first], "-W") == 0)
            setenv("PYTHONWARNINGS", argv[first + 1], 1);
        else
            break;
    }
    if (!arguments || argc <= first ||
        (argv[first][0] == '-' && strcmp(argv[first], "-c") && strcmp(argv[first], "-m"))) {
        fprintf(stderr, "usage: %s [-X dev] [-W FILTER] (-c CODE | -m MODULE | FILE) [ARGUMENT ...]\n",
                argv[0]);
        return 2;
    }
    /* This file is HOME/lib/python3.11/main.so. */
    if (!dladdr(RUN, &self))
        return 2;
    snprintf(home, sizeof home, "%s", self.dli_fname);
    for (i = 0; i < 3; i++)
        *strrchr(home, '/') = 0;

    setlocale(LC_CTYPE, "");
    Py_SetPythonHome(Py_DecodeLocale(home, NULL));
    Py_SetProgramName(Py_DecodeLocale(argv[0], NULL));
    Py_Initialize();
    for (i = first; i < argc; i++)
        arguments[count++] = Py_DecodeLocale(argv[i], NULL);
    PySys_SetArgvEx(count, arguments, 0);
    failed = PyRun_SimpleStringFlags(RUN, NULL);
    return Py_FinalizeEx() < 0 ? 120 : failed != 0;
}

/* musl's startup code calls this with the program's main function. */
int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv)
{
    int (*start)(int (*)(int, char **, char **), int, char **);

    (void)program;
    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    return start(run_python, argc, argv);
}
