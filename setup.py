"""Packaging. The version stands in appliance/__init__.py and nowhere else."""

import re
from pathlib import Path

from setuptools import Extension, find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "appliance/__init__.py").read_text())
assert VERSION is not None

setup(
    name="phone-appliance",
    version=VERSION.group(1),
    description="A proxy TFTP appliance for IP phones",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    packages=find_packages(include=["appliance", "appliance.*"]),
    package_data={
        "appliance": ["py.typed"],
        "appliance.config": ["configspec.ini"],
        "appliance.network": ["dhcpcd-hook"],
        "appliance.serve": ["*.pyi"],
    },
    # Optional: without a compiler the same is done in Python, only slower.
    ext_modules=[
        Extension(
            f"appliance.serve.{name}",
            [f"appliance/serve/{name}.c"],
            depends=["appliance/serve/_lane.h", "appliance/serve/_pieces.h"],
            extra_compile_args=["-O2", "-Wall", "-Wextra"],
            optional=True,
        )
        for name in ("_arrivals", "_pump")
    ],
    python_requires=">=3.11",
    install_requires=[
        "gevent>=26.4,<27",
        "pyroute2>=0.9.4,<0.10",
        "netifaces-plus>=0.12.5,<0.13",  # the maintained fork; the import is netifaces
        "configobj>=5.0.9,<6",
        "cryptography>=44,<51",
    ],
    extras_require={
        "test": [
            "hypothesis>=6.150,<7",
            "mypy>=1.18,<3",
            "pytest>=8.4,<10",
            "pytest-timeout>=2.4,<3",
            "ruff>=0.14,<1",
            "tftpy>=0.8.6,<0.9",
            "types-gevent",
            "types-greenlet",
        ],
    },
    entry_points={"console_scripts": ["appliance = appliance.commands.main:main"]},
    classifiers=[
        "Environment :: No Input/Output (Daemon)",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Communications :: Internet Phone",
        "Typing :: Typed",
    ],
)
