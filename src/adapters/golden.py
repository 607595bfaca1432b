"""LoRA as PEFT has it, float64. golden/ holds adapter folders that PEFT has written (float32), and golden.safetensors:

mobilenet.logits, resnet.logits       of the goldens of both networks on their pixel_values, with the folder's adapters
                                      (mobilenet/: 1 x 1 and 3 x 3 convolutions, modules_to_save; resnet/: strides, rsLoRA,
                                      rank_pattern and alpha_pattern), stored BatchNorm statistics
mobilenet.loss, .grad_norm            before each of 20 AdamW steps on the golden batch, statistics still stored
mobilenet.end.TENSOR                  the folder's tensors after them
two_layer.x [23,7], .labels           data of a network of two linear layers, NAME in 0.weight, 0.bias, 2.weight, 2.bias:
two_layer.base.NAME                   its frozen weights; two_layer/ has A drawn and B = 0
two_layer.loss, .grad_norm, .end.*    as above

Made with torch 2.15.0, transformers 5.24, timm and peft 0.21.2."""
import json
import os
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import peft
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F

sys.dont_write_bytecode = True
warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
here = Path(__file__).resolve().parent
models = here.parent / "models"
STEPS, ADAMW = 20, {"lr": 5e-3, "betas": (0.9, 0.999), "eps": 1e-5}
DECAY = 0.01


def golden(folder, name):
    with safe_open(folder / "golden.safetensors", "pt") as f:
        return f.get_tensor(name)


def draw(model, seed, zero_b=False):
    """Values for A and B, and for modules to save a shift, that float32 holds."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not p.requires_grad:
                continue
            random = torch.empty(p.shape).normal_(generator=generator)
            if "lora_A" in name:
                p.copy_(random / np.sqrt(p[0].numel()))
            elif "lora_B" in name:
                p.copy_(random * (0 if zero_b else 0.2))
            else:
                p.add_(0.1 * random)


def write(base, folder, seed, config, zero_b=False):
    model = peft.get_peft_model(base, config)
    draw(model, seed, zero_b)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = None
    config["target_modules"].sort()  # a set: its order changes from run to run
    path.write_text(json.dumps(config, indent=2, sort_keys=True))
    for path in folder.iterdir():
        path.chmod(0o644)


def read(base, folder):
    model = peft.PeftModel.from_pretrained(base.double(), folder, is_trainable=True).double().eval()
    return model


def trace(model, logits, labels):
    """Losses and norms of 20 steps, and the adapters afterwards under the names of files."""
    learns = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in learns if p.ndim > 1], "weight_decay": DECAY},
         {"params": [p for p in learns if p.ndim == 1], "weight_decay": 0.0}], **ADAMW)
    rows = []
    for _ in range(STEPS):
        loss = F.cross_entropy(logits(model), labels)
        optimizer.zero_grad()
        loss.backward()
        rows.append((loss.item(), nn.utils.clip_grad_norm_(learns, float("inf")).item()))
        optimizer.step()
    losses, norms = np.array(rows).T
    end = {f"end.{k}": v.detach().numpy() for k, v in peft.get_peft_model_state_dict(model).items()}
    return {"loss": losses, "grad_norm": norms} | end


def put(prefix, tensors):
    out.update({f"{prefix}.{k}": np.ascontiguousarray(v) for k, v in tensors.items()})


out = {}

# ---- MobileNetV2 of timm: LoRA at every ungrouped convolution, and the head as a whole. (Transformers' own pads as
# TensorFlow does and asks its convolutions for their stride, which PEFT's wrapped ones do not have.)
base = models / "mobilenet_v2" / "golden_timm"
sys.path.insert(0, str(here.parents[1] / "tools"))
sys.path.insert(0, str(base.parent))
import golden as mobilenet  # noqa: E402  registers the narrow network

x, labels = golden(base, "pixel_values").double(), golden(base, "labels")
network = lambda: mobilenet.Timm().load(base)
modules = [n for n, m in network().named_modules() if isinstance(m, nn.Conv2d) and m.groups == 1]
config = peft.LoraConfig(r=2, lora_alpha=3, target_modules=modules, modules_to_save=["classifier"])
write(network(), here / "golden" / "mobilenet", 1, config)
model = read(network(), here / "golden" / "mobilenet")
with torch.no_grad():
    put("mobilenet", {"logits": model(x).numpy()})
put("mobilenet", trace(model, lambda m: m(x), labels))

# ---- ResNet of Transformers: strided 1 x 1 and 3 x 3, the head adapted, ranks and alphas by module
base = models / "resnet" / "golden_hf"
network = lambda: transformers.ResNetForImageClassification.from_pretrained(base)
x = golden(base, "pixel_values").double()
modules = [n for n, m in network().named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))][1:]
config = peft.LoraConfig(r=3, lora_alpha=4, use_rslora=True, target_modules=modules, rank_pattern={modules[1]: 2, "classifier.1": 1},
                         alpha_pattern={modules[2].split(".", 2)[2]: 7})
write(network(), here / "golden" / "resnet", 2, config)
model = read(network(), here / "golden" / "resnet")
with torch.no_grad():
    put("resnet", {"logits": model(pixel_values=x).logits.numpy()})

# ---- Two linear layers from B = 0
torch.manual_seed(3)
net = lambda: nn.Sequential(nn.Linear(7, 33), nn.ReLU(), nn.Linear(33, 5))
start = {k: v.float() for k, v in net().state_dict().items()}


def create():
    model = net()
    model.load_state_dict(start)
    return model


x, labels = torch.randn(23, 7).double(), torch.randint(5, (23,))
config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["0", "2"])
write(create(), here / "golden" / "two_layer", 4, config, zero_b=True)
model = read(create(), here / "golden" / "two_layer")
put("two_layer", {"x": x.numpy(), "labels": labels.int().numpy()})
put("two_layer", {f"base.{k}": v.numpy().astype(np.float64) for k, v in start.items()})
put("two_layer", trace(model, lambda m: m(x), labels))

path = here / "golden" / "golden.safetensors"
order = sorted(out, key=lambda n: (-out[n].itemsize, n))
save_file({n: out[n] for n in order}, path)
os.chmod(path, 0o644)
print(path, sum(f.stat().st_size for f in (here / "golden").rglob("*") if f.is_file()), "bytes;",
      {k: (round(float(v[0]), 4), round(float(v[-1]), 4)) for k, v in out.items() if k.endswith("loss")})
