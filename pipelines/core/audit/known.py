"""What is known beyond the image: which distribution has a module of another name, what the driver brings, what Debian ships apart."""

from __future__ import annotations

from collections.abc import Mapping

DISTRIBUTIONS: Mapping[str, str] = {
    "Crypto": "pycryptodome",
    "Cryptodome": "pycryptodomex",
    "Levenshtein": "levenshtein",
    "MySQLdb": "mysqlclient",
    "OpenGL": "PyOpenGL",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "Xlib": "python-xlib",
    "_cffi_backend": "cffi",
    "_pytest": "pytest",
    "airflow": "apache-airflow",
    "apt": "python-apt",
    "attr": "attrs",
    "azure.identity": "azure-identity",
    "azure.storage.blob": "azure-storage-blob",
    "babel": "Babel",
    "barcode": "python-barcode",
    "bs4": "beautifulsoup4",
    "bson": "pymongo",
    "chess": "python-chess",
    "consul": "python-consul",
    "cpuinfo": "py-cpuinfo",
    "cups": "pycups",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "deprecated": "Deprecated",
    "discord": "discord.py",
    "distutils": "setuptools",
    "dns": "dnspython",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "engineio": "python-engineio",
    "faiss": "faiss-cpu",
    "fitz": "PyMuPDF",
    "flask_cors": "Flask-Cors",
    "fuse": "fusepy",
    "git": "GitPython",
    "github": "PyGithub",
    "gitlab": "python-gitlab",
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.storage": "google-cloud-storage",
    "google.generativeai": "google-generativeai",
    "google.protobuf": "protobuf",
    "googleapiclient": "google-api-python-client",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
    "grpc_status": "grpcio-status",
    "grpc_tools": "grpcio-tools",
    "haystack": "haystack-ai",
    "hid": "hidapi",
    "jose": "python-jose",
    "jwt": "PyJWT",
    "kafka": "kafka-python",
    "ldap": "python-ldap",
    "llama_cpp": "llama-cpp-python",
    "llama_index": "llama-index",
    "magic": "python-magic",
    "mpl_toolkits": "matplotlib",
    "mpv": "python-mpv",
    "multipart": "python-multipart",
    "mysql.connector": "mysql-connector-python",
    "nacl": "PyNaCl",
    "nats": "nats-py",
    "opentelemetry": "opentelemetry-api",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "paho": "paho-mqtt",
    "past": "future",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "pyVmomi": "pyvmomi",
    "pyaudio": "PyAudio",
    "pydantic_settings": "pydantic-settings",
    "pylab": "matplotlib",
    "pynvml": "nvidia-ml-py",
    "pythoncom": "pywin32",
    "pytorch_lightning": "pytorch-lightning",
    "qdrant_client": "qdrant-client",
    "rapidjson": "python-rapidjson",
    "ruamel": "ruamel.yaml",
    "ruamel.yaml": "ruamel.yaml",
    "sentence_transformers": "sentence-transformers",
    "serial": "pyserial",
    "setuptools_scm": "setuptools-scm",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slack_sdk": "slack-sdk",
    "slugify": "python-slugify",
    "snappy": "python-snappy",
    "socketio": "python-socketio",
    "socks": "PySocks",
    "speech_recognition": "SpeechRecognition",
    "stdnum": "python-stdnum",
    "telegram": "python-telegram-bot",
    "tlz": "toolz",
    "unidecode": "Unidecode",
    "usb": "pyusb",
    "uwsgidecorators": "uWSGI",
    "vlc": "python-vlc",
    "websocket": "websocket-client",
    "whisper": "openai-whisper",
    "win32api": "pywin32",
    "wx": "wxPython",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}
"""Module -> distribution of the Python package index, where the one does not follow from the other (PEP 503 makes `_` and `-` one)."""

SHARED = frozenset({"azure", "google"})
"""Namespaces that many distributions share, each named after the module: `google-cloud-storage`."""

DRIVER = frozenset(
    {
        "libcuda.so",
        "libcuda.so.1",
        "libcudadebugger.so.1",
        "libnvcuvid.so.1",
        "libnvidia-allocator.so.1",
        "libnvidia-cfg.so.1",
        "libnvidia-encode.so.1",
        "libnvidia-fbc.so.1",
        "libnvidia-ml.so",
        "libnvidia-ml.so.1",
        "libnvidia-nvvm.so.4",
        "libnvidia-opencl.so.1",
        "libnvidia-opticalflow.so.1",
        "libnvidia-ptxjitcompiler.so.1",
        "libnvoptix.so.1",
        "libEGL_nvidia.so.0",
        "libGLESv1_CM_nvidia.so.1",
        "libGLESv2_nvidia.so.2",
        "libGLX_nvidia.so.0",
        "libvdpau_nvidia.so.1",
    }
)
"""What the NVIDIA container toolkit puts into a container from the machine's driver: never a package of the image."""

APART: Mapping[str, str] = {
    "distutils": "python3-distutils",
    "lib2to3": "python3-lib2to3",
    "tkinter": "python3-tk",
    "turtle": "python3-tk",
    "idlelib": "python3-tk",
    "ensurepip": "python3-venv",
    "venv": "python3-venv",
}
"""Modules of the standard library that Debian and Ubuntu put into packages of their own (Debian Python Policy)."""

HOOKS: Mapping[str, str] = {"distutils": "_distutils_hack"}
"""Modules that another one puts in place when the interpreter starts: setuptools does so for distutils."""

STANDARD = frozenset(
    {
        "abc", "aifc", "antigravity", "argparse", "array", "ast", "asynchat", "asyncio", "asyncore", "atexit", "audioop", "base64",
        "bdb", "binascii", "bisect", "builtins", "bz2", "cProfile", "calendar", "cgi", "cgitb", "chunk", "cmath", "cmd", "code",
        "codecs", "codeop", "collections", "colorsys", "compileall", "concurrent", "configparser", "contextlib", "contextvars", "copy",
        "copyreg", "crypt", "csv", "ctypes", "curses", "dataclasses", "datetime", "dbm", "decimal", "difflib", "dis", "distutils",
        "doctest", "email", "encodings", "ensurepip", "enum", "errno", "faulthandler", "fcntl", "filecmp", "fileinput", "fnmatch",
        "fractions", "ftplib", "functools", "gc", "genericpath", "getopt", "getpass", "gettext", "glob", "graphlib", "grp", "gzip",
        "hashlib", "heapq", "hmac", "html", "http", "idlelib", "imaplib", "imghdr", "imp", "importlib", "inspect", "io", "ipaddress",
        "itertools", "json", "keyword", "lib2to3", "linecache", "locale", "logging", "lzma", "mailbox", "mailcap", "marshal", "math",
        "mimetypes", "mmap", "modulefinder", "msilib", "multiprocessing", "netrc", "nis", "nntplib", "ntpath", "nturl2path", "numbers",
        "opcode", "operator", "optparse", "os", "ossaudiodev", "pathlib", "pdb", "pickle", "pickletools", "pipes", "pkgutil",
        "platform", "plistlib", "poplib", "posix", "posixpath", "pprint", "profile", "pstats", "pty", "pwd", "py_compile", "pyclbr",
        "pydoc", "pydoc_data", "pyexpat", "queue", "quopri", "random", "re", "readline", "reprlib", "resource", "rlcompleter", "runpy",
        "sched", "secrets", "select", "selectors", "shelve", "shlex", "shutil", "signal", "site", "smtpd", "smtplib", "sndhdr",
        "socket", "socketserver", "spwd", "sqlite3", "sre_compile", "sre_constants", "sre_parse", "ssl", "stat", "statistics", "string",
        "stringprep", "struct", "subprocess", "sunau", "symtable", "sys", "sysconfig", "syslog", "tabnanny", "tarfile", "telnetlib",
        "tempfile", "termios", "textwrap", "this", "threading", "time", "timeit", "tkinter", "token", "tokenize", "tomllib", "trace",
        "traceback", "tracemalloc", "tty", "turtle", "turtledemo", "types", "typing", "unicodedata", "unittest", "urllib", "uu", "uuid",
        "venv", "warnings", "wave", "weakref", "webbrowser", "wsgiref", "xdrlib", "xml", "xmlrpc", "zipapp", "zipfile", "zipimport",
        "zlib", "zoneinfo",
    }
)  # fmt: skip
"""The standard library of Python 3.11 (sys.stdlib_module_names), without what starts with an underscore and what only Windows has."""

COMPILED_IN = frozenset(
    {
        "array", "atexit", "audioop", "binascii", "builtins", "cmath", "errno", "faulthandler", "fcntl", "gc", "grp", "itertools", "marshal",
        "math", "mmap", "nis", "ossaudiodev", "posix", "pwd", "pyexpat", "readline", "resource", "select", "spwd", "sys", "syslog", "termios",
        "time", "unicodedata", "zlib",
        "__future__", "_abc", "_aix_support", "_ast", "_asyncio", "_bisect", "_blake2", "_bootsubprocess", "_bz2", "_codecs",
        "_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw", "_collections", "_collections_abc",
        "_compat_pickle", "_compression", "_contextvars", "_crypt", "_csv", "_ctypes", "_curses", "_curses_panel", "_datetime", "_dbm",
        "_decimal", "_elementtree", "_frozen_importlib", "_frozen_importlib_external", "_functools", "_gdbm", "_hashlib", "_heapq",
        "_imp", "_io", "_json", "_locale", "_lsprof", "_lzma", "_markupbase", "_md5", "_msi", "_multibytecodec", "_multiprocessing",
        "_opcode", "_operator", "_osx_support", "_overlapped", "_pickle", "_posixshmem", "_posixsubprocess", "_py_abc", "_pydecimal",
        "_pyio", "_queue", "_random", "_scproxy", "_sha1", "_sha256", "_sha3", "_sha512", "_signal", "_sitebuiltins", "_socket",
        "_sqlite3", "_sre", "_ssl", "_stat", "_statistics", "_string", "_strptime", "_struct", "_symtable", "_thread",
        "_threading_local", "_tkinter", "_tokenize", "_tracemalloc", "_typing", "_uuid", "_warnings", "_weakref", "_weakrefset",
        "_zoneinfo",
    }
)  # fmt: skip
"""C modules of the standard library and its private ones: a build may have them inside the interpreter, so no file shows that they are there."""

ELSEWHERE = frozenset(
    {
        "msvcrt", "nt", "winreg", "winsound", "_winapi", "_winreg", "win32api", "win32con", "pythoncom", "pywintypes", "java", "AppKit",
        "Foundation", "objc", "Quartz", "CoreFoundation", "js", "pyodide", "__builtin__", "urllib2", "StringIO", "cPickle", "ConfigParser",
    }
)  # fmt: skip
"""Modules of other systems and of Python 2: code that imports them does not mean this image."""

FOREIGN_LIBRARIES = frozenset(
    {
        "libc.so", "libc.so.7", "libc.musl-x86_64.so.1", "msvcrt", "kernel32", "user32", "advapi32", "shell32", "ole32", "ntdll", "ws2_32", "gdi32", "winmm", "opengl32", "AppKit", "Foundation",
        "CoreFoundation", "CoreServices", "Security", "Carbon", "objc", "System", "IOKit", "Metal", "ApplicationServices", "CoreGraphics",
    }
)  # fmt: skip
"""Libraries of other systems that portable code asks for by name."""
