"""What each run does in the same way, done once by the launcher.

A run looks for Ansible's own plugins, loads them, parses their documentation for
their options and the list of those that have moved, and asks ssh what it can do.
The launcher does that ahead of need, and keeps what came of it, each with the
state of what it was made from. A run takes what is kept where it would come to
the same at that moment:

- a plugin, where Ansible has found its file, and that has still the same inode,
  size and times, as have the plugins that it imports;
- a plugin's options, if it was taken, and the fragments of its documentation are
  found where they were, and are the same;
- what is in one of Ansible's own directories, while that is unchanged;
- what the list says, if the run has read the same text.

What is looked for, and where, is Ansible's to say, each time. So a plugin of a
playbook, a role, a collection or a configured path is found first, as ever; and
no such plugin is ever kept, so its code runs where it would by hand.
"""

import builtins
import fnmatch
import glob
import importlib.util
import os
import shutil
import sys
import time

from . import versions
from .made_from import state

# The types of plugins that are loaded ahead of need. Each run loads all of the
# first five, those of the inventory that are turned on, and some of the others.
TYPES = ("become", "callback", "connection", "shell", "vars", "inventory",
         "cache", "strategy", "filter", "test", "action", "lookup")

# What has changed less than this long before the launcher looked is not kept: it
# may have changed again within one step of a file system's clock, or be about to.
SETTLED_NS = 2_000_000_000


class Plugin:
    """A plugin that was loaded."""

    def __init__(self, module, path):
        self.module = module
        self.path = path
        self.state = state(path)
        # The plugins that it imports, and that these do, by name.
        self.imports = {}


class Options:
    """The options that a plugin's documentation gives it."""

    def __init__(self, module, fragments, options):
        self.module = module
        # The name of each fragment, and its file with its state, if it has one.
        self.fragments = fragments
        self.options = options


class Directory:
    """One of Ansible's own directories."""

    def __init__(self, path):
        self.state = state(path)
        with os.scandir(path) as entries:
            entries = list(entries)
        self.names = [entry.name for entry in entries]
        # What is behind a link may change without the directory.
        self.files = None if any(
            entry.is_symlink() for entry in entries) else [
                entry.name for entry in entries if entry.is_file()]
        self.matches = {}

    def matching(self, pattern):
        found = self.matches.get(pattern)
        if found is None:
            found = self.matches[pattern] = [
                name for name in fnmatch.filter(self.names, pattern)
                if not name.startswith(".")]
        return found


# By the name of the module and the path of its file.
_plugins = {}
# By the type and the name of the plugin, and the path of its file.
_options = {}
# By path.
_directories = {}
# The directories at and below one, by its path.
_trees = {}
# Whether the ssh of that path and state has ControlPersist.
_ssh = None


def prepare(callbacks):
    """Does what runs do. None of it is seen in a run that does not.

    :param callbacks: where the worker's own callbacks are
    """
    global _ssh
    if versions.is_debugged():
        # A run says each of these steps.
        return
    from ansible.plugins import loader as loaders

    until = time.time_ns() - SETTLED_NS
    with versions.nothing_displayed() as heard:
        recorder = Recorder(loaders, heard)
        try:
            for name in TYPES:
                recorder.load_all(getattr(loaders, name + "_loader"),
                                  callbacks if name == "callback" else [])
        finally:
            recorder.leave()
    for loader in list(vars(loaders).values()):
        if isinstance(loader, loaders.PluginLoader):
            own = versions.own_loader(loader)
            paths = own._get_paths()
            _trees[own.package_path] = paths
            for path in paths:
                _directories[path] = Directory(path)
    for kept in (_plugins, _directories):
        for key in [key for key, one in kept.items()
                    if not is_settled(one.state, until)]:
            del kept[key]
    versions.keep_routing()
    ssh = shutil.which("ssh")
    if ssh is not None:
        _ssh = (ssh, state(ssh), versions.ask_ssh())
    install(loaders)


def is_settled(seen, until):
    """Whether nothing has changed there since a time, in nanoseconds."""
    return isinstance(seen, tuple) and max(seen[-2:]) < until


class Recorder:
    """Has Ansible load its own plugins, and takes down what comes of it.

    :param heard: what Ansible says meanwhile
    """

    def __init__(self, loaders, heard):
        self.loaders = loaders
        self.base = base = loaders.PluginLoader
        self.real = (base._load_module_source, base._load_config_defs,
                     loaders.fragment_loader, builtins.__import__)
        self.there = set(sys.modules)
        # The names of plugins that the one that is being loaded imports.
        self.imported = None
        self.imports = {}
        self.talking = set()
        self.fragments = []
        load_module, load_options, fragment_loader, _ = self.real

        def recorded_module(loader, *args, **kwargs):
            name, path = versions.module_asked_for(loader, *args, **kwargs)
            outer, self.imported = self.imported, set()
            before = len(heard)
            try:
                module = load_module(loader, *args, **kwargs)
                self.imports[name] = self.imported - {name}
            finally:
                self.imported = outer
            if len(heard) > before:
                # A run says that, too.
                self.talking.add(name)
            return module

        def recorded_options(loader, name, module, path):
            self.fragments = []
            kind, options = versions.take_options(
                loader, name,
                lambda: load_options(loader, name, module, path))
            if kind is not None:
                _options[kind, name, path] = Options(
                    module, self.fragments, options)

        base._load_module_source = recorded_module
        base._load_config_defs = recorded_options
        loaders.fragment_loader = Fragments(
            versions.own_loader(fragment_loader), self)
        builtins.__import__ = self.import_name

    def load_all(self, loader, more):
        own = versions.own_loader(loader)
        own._extra_dirs = more
        for _ in self.base.all(own, class_only=True):
            pass

    def import_name(self, name, globals=None, locals=None, fromlist=(), level=0):
        module = self.real[3](name, globals, locals, fromlist, level)
        if self.imported is not None:
            full = name
            if level > 0:
                full = importlib.util.resolve_name(
                    "." * level + name, globals["__package__"])
            self.imported.update(filter(versions.is_plugin, (
                full, *("%s.%s" % (full, one) for one in fromlist or ()))))
        return module

    def leave(self):
        """Leaves things as they were, but for what plugins import that are no
        plugins: nobody else can have put that in place of Ansible's."""
        (self.base._load_module_source, self.base._load_config_defs,
         self.loaders.fragment_loader, builtins.__import__) = self.real
        new = {}
        for name in set(sys.modules) - self.there:
            if versions.is_plugin(name) or name in self.imports:
                new[name] = forget(name)
        for name, module in new.items():
            plugin = Plugin(module, module.__file__)
            todo = list(self.imports.get(name, ()))
            while todo:
                other = todo.pop()
                if other in new and other not in plugin.imports:
                    plugin.imports[other] = (other, new[other].__file__)
                    todo += self.imports.get(other, ())
            if not self.talking.intersection((name, *plugin.imports)):
                _plugins[name, module.__file__] = plugin


class Fragments:
    """Stands in for what finds fragments of documentation."""

    def __init__(self, loader, recorder):
        self.loader = loader
        self.recorder = recorder

    def get(self, name):
        path = self.loader.find_plugin(name)
        self.recorder.fragments.append((name, path, path and state(path)))
        return self.loader.get(name)


def forget(name):
    """Takes a module out of where an import finds it."""
    module = sys.modules.pop(name)
    package, _, last = name.rpartition(".")
    if getattr(sys.modules.get(package), last, None) is module:
        delattr(sys.modules[package], last)
    return module


def install(loaders):
    """Lets plugin loaders take what is kept."""
    base = loaders.PluginLoader
    load_module = base._load_module_source
    load_options = base._load_config_defs
    find = base._find_plugin_legacy
    all_directories = base._all_directories

    def kept_module(self, *args, **kwargs):
        name, path = versions.module_asked_for(self, *args, **kwargs)
        return take(name, path) or load_module(self, *args, **kwargs)

    def kept_options(self, name, module, path):
        kind = versions.type_with_options(self)
        kept = _options.get((kind, name, path))
        if (kept is None or kept.module is not module
                or not all(map(is_found, kept.fragments))):
            load_options(self, name, module, path)
        else:
            versions.give_options(kind, name, kept.options)

    def is_found(fragment):
        name, path, state_then = fragment
        found = loaders.fragment_loader.find_plugin(name)
        return found == path and (path is None or state(path) == state_then)

    def kept_find(self, *args, **kwargs):
        for context in self._get_paths_with_context():
            path = context.path
            if path in self._searched_paths or not os.path.isdir(path):
                continue
            directory = unchanged(path)
            if directory is None or directory.files is None:
                break
            versions.found_files(self, context, directory.files)
        return find(self, *args, **kwargs)

    def kept_directories(self, path):
        kept = _trees.get(path)
        if kept is None or not all(map(unchanged, kept)):
            return all_directories(self, path)
        return list(kept)

    base._load_module_source = kept_module
    base._load_config_defs = kept_options
    base._find_plugin_legacy = kept_find
    base._all_directories = kept_directories
    loaders.glob = Glob()


def take(name, path):
    """The plugin of that name in that file, loaded; None if none is kept that a
    run by hand would have loaded now."""
    plugin = _plugins.get((name, path))
    if plugin is None or name in sys.modules or state(path) != plugin.state:
        return None
    for other, key in plugin.imports.items():
        imported = _plugins.get(key)
        if imported is None or (
                state(imported.path) != imported.state
                if other not in sys.modules
                else sys.modules[other] is not imported.module):
            return None
    for other, key in plugin.imports.items():
        if other not in sys.modules:
            sys.modules[other] = _plugins[key].module
            package, _, last = other.rpartition(".")
            setattr(sys.modules[package], last, _plugins[key].module)
    sys.modules[name] = plugin.module
    return plugin.module


def unchanged(path):
    """What is kept of a directory; None if it is not as it was."""
    directory = _directories.get(path)
    if directory is None or state(path) != directory.state:
        return None
    return directory


class Glob:
    """Stands in for ``glob`` where plugins are looked for."""

    def __getattr__(self, name):
        return getattr(glob, name)

    def glob(self, pattern):
        directory, names = os.path.split(pattern)
        kept = unchanged(directory)
        if kept is not None:
            return [os.path.join(directory, name)
                    for name in kept.matching(names)]
        # Most of the places where plugins could be are not there.
        root = directory
        while glob.has_magic(root):
            root = os.path.dirname(root)
        return glob.glob(pattern) if os.path.exists(root) else []


def tell_of_ssh():
    """Lets a run know what ssh can do, if it is still the same one."""
    if _ssh is not None:
        path, state_then, answer = _ssh
        if shutil.which("ssh") == path and state(path) == state_then:
            versions.know_ssh(answer)
