"""average.py MODEL...: models/mini becomes the mean of the weights of these folders, which runs from one start have left."""
import sys

from export import export
from safetensors_io import read_file

runs = [read_file(f"{folder}/model.safetensors") for folder in sys.argv[1:]]
export({name: sum(run[name] for run in runs) / len(runs) for name in runs[0]})
