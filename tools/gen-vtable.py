#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Make the sd-bus vtable of an interface from its introspection XML, so that names, signatures, argument names
and property flags stand in one place. Handlers are bound by name:

    method Start of org.pm2.Manager      -> manager_method_start(), called by bus_dispatch()
    every property                       -> manager_get_property()
    signal ProcessEvent                  -> only declared in the vtable

usage: gen-vtable.py INTERFACE.xml OUTPUT.h
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
FLAGS = {
    "true": "SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE",
    "invalidates": "SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION",
    "const": "SD_BUS_VTABLE_PROPERTY_CONST",
    "false": "0",
}


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def arguments(element, direction):
    found = [a for a in element.findall("arg") if a.get("direction", "in") == direction]
    return ", ".join(f'"{a.get("type")}", {a.get("name")}' for a in found)


def args_macro(name, text):
    return f"{name}({text})" if text else ("SD_BUS_NO_ARGS" if name == "SD_BUS_ARGS" else "SD_BUS_NO_RESULT")


def main():
    source, output = sys.argv[1:3]
    interface = ElementTree.parse(source).getroot().find("interface")
    name = interface.get("name")
    prefix = snake(name.rsplit(".", 1)[1])
    declarations, rows, handlers = [], [], []
    for method in interface.findall("method"):
        handler = f"{prefix}_method_{snake(method.get('name'))}"
        declarations.append(
            f"static int {handler}(sd_bus_message *message, void *userdata, sd_bus_error *error);"
        )
        rows.append(
            f'SD_BUS_METHOD_WITH_ARGS("{method.get("name")}", '
            f"{args_macro('SD_BUS_ARGS', arguments(method, 'in'))}, "
            f"{args_macro('SD_BUS_RESULT', arguments(method, 'out'))}, {prefix}_dispatch, SD_BUS_VTABLE_UNPRIVILEGED),"
        )
        handlers.append(f'{{ "{method.get("name")}", {handler} }},')
    for signal in interface.findall("signal"):
        found = ", ".join(f'"{a.get("type")}", {a.get("name")}' for a in signal.findall("arg"))
        rows.append(
            f'SD_BUS_SIGNAL_WITH_ARGS("{signal.get("name")}", {args_macro("SD_BUS_ARGS", found)}, 0),'
        )
    for prop in interface.findall("property"):
        handler = f"{prefix}_get_property"
        emits = "true"
        for annotation in prop.findall("annotation"):
            if annotation.get("name") == EMITS:
                emits = annotation.get("value")
        rows.append(f'SD_BUS_PROPERTY("{prop.get("name")}", "{prop.get("type")}", {handler}, 0, {FLAGS[emits]}),')
    declarations.append(
        f"static int {prefix}_get_property(sd_bus *bus, const char *path, const char *interface, "
        "const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error);"
    )
    with open(output, "w", encoding="utf-8") as out:
        out.write(f"/* Made by tools/gen-vtable.py from {name}.xml. */\n#pragma once\n\n")
        out.write('#include "bus/bus-dispatch.h"\n\n#include <systemd/sd-bus.h>\n\n')
        out.write(f'#define {prefix.upper()}_INTERFACE "{name}"\n\n')
        out.write("\n".join(declarations) + "\n\n")
        out.write(f"static const BusMethod {prefix}_methods[] = {{\n")
        out.write("".join(f"        {handler}\n" for handler in handlers))
        out.write("        { NULL, NULL },\n};\n\n")
        out.write(f"static int {prefix}_dispatch(sd_bus_message *message, void *userdata, sd_bus_error *error) {{\n")
        out.write(f"        return bus_dispatch(userdata, message, {prefix}_methods, error);\n}}\n\n")
        out.write(f"static const sd_bus_vtable {prefix}_vtable[] = {{\n        SD_BUS_VTABLE_START(0),\n")
        out.write("".join(f"        {row}\n" for row in rows))
        out.write("        SD_BUS_VTABLE_END\n};\n")


main()
