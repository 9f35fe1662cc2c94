"""Which half of the corpus a network is in: one to fit rules on, one held back to judge them by.

Each rule was written down before any network that it holds back was converted. They go by architecture
family, so that a sibling of a network that was fitted on never counts as new.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Half = Literal["fit", "held_back"]

MEASURED_BEFORE = frozenset(
    (
        *("resnet", "mobilenetv2", "mobilenetv3", "mnasnet", "squeezenet", "shufflenetv2", "efficientnet"),
        *("googlenet", "densenet", "regnet", "deeplabv3", "lraspp", "convnext", "edgenext", "efficientvit"),
        *("fastvit", "ghostnet", "hardcorenas", "lcnet", "mixnet", "mobilenetv4", "mobileone", "mobilevit"),
        *("repghostnet", "rexnet", "skresnet", "starnet", "tinynet", "xcit", "coat", "vovnet", "deit"),
        *("levit", "pvt", "vit", "efficientformer", "botnet", "inception", "inception_next", "gernet"),
        *("resnest", "resnext", "magika", "silero", "ppocr", "ddddocr"),
    )
)
"""Families whose errors of an earlier prediction were known when the rules were begun: always in the
fit half."""

SYNTHETIC = "synthetic"
"""The family of graphs made for one operator each: in the fit half too, for they say nothing of real
networks."""

HELD_BACK_BELOW = 160
"""Of 256: of the families not measured before, five in eight were held back, which made the halves about
equal. They were judged on 27 November 2026, and are in the fit half since (`was_held_back`)."""

SECOND = frozenset(
    (
        *("cspnext", "iformer", "mvitv2", "focalnet", "swinv2", "hiera", "cpubone", "csatv2", "efficientvim"),
        *("lowformer", "lcnetv2", "nextvit", "tresnet", "res2net", "seresnet_legacy", "dpn"),
        *("efficientformerv2", "vit_relpos", "volo", "vitamin", "xception", "airnet", "channelnet"),
        *("bninception", "edanet", "erfnet", "enet", "esnet", "espnetv2", "fastscnn", "fdmobilenet"),
        *("fpenet", "dicenet", "diaresnet", "octresnet", "resattnet", "sharesnet", "sqnet", "contextnet"),
        *("xdensenet", "zfnet", "lffd", "quartznet"),
    )
)
"""Families that were written down on 27 November 2026, right after the first held-back half was judged and
before one of them was converted: of those that timm and pytorchcv have and the corpus had not, with a small
network each. They were judged on the same day, and are in the fit half since."""

THIRD = frozenset(
    (
        *("beit", "convmixer", "rdnet", "swinv2_cr", "vit_hybrid", "samvit", "cspnet", "regnetz"),
        *("ecaresnet", "batresnext", "nasnet", "ibnresnet", "msdnet", "nin", "pyramidnet", "fractalnet"),
        *("fishnet", "drn", "fcn8sd", "prnet", "scnet", "ror", "centernet", "inceptionresnet"),
        *("sparsenet", "rir", "shakeshake", "manet", "pan", "unetplusplus", "segformer", "r3d"),
        "swin3d",
    )
)
"""Families that were written down on 27 November 2026, after the second set was judged and before one of them
was converted: those that timm, pytorchcv, segmentation-models and torchvision have and the corpus had not, of
which a network can be exported (36 of 47), but three that go by another name there
(MaxViT with ConvNeXt's blocks, ResNet with norms before, Xception aligned). Judged on the same day, and
in the fit half since."""


FOURTH = frozenset(
    (
        *("srvgg", "span", "safmn", "plksr", "rcan", "dncnn", "drunet", "rrdb", "nafnet"),
        *("realcugan", "fbcnn", "omnisr", "mosr", "swiftsrgan", "retinexformer", "scunet"),
        *("swinir", "kbnet", "cidnet", "mixdehaze", "resunet", "attention_unet", "basic_unet"),
        *("dynunet", "segresnet", "vnet", "highresnet", "quicknat", "mednext", "restormer"),
        *("hovernet", "hardnet_descriptor", "sosnet", "tfeat", "hynet", "disk", "xfeat", "dexined"),
        *("yunet", "cct", "crossformer", "sepvit", "scalablevit", "t2t", "cvt", "dpt", "yolos"),
        *("textnet", "detr", "rt_detr", "ast", "wav2vec2", "sew", "glpn", "uvdoc", "timesformer"),
        *("vitpose", "dac", "superpoint", "vitmatte", "wav2letter", "convtasnet", "deepspeech"),
    )
)
"""Families that were written down on 27 November 2026, after the third set was judged, by reading the lists
of six packages of other people than the first three sets come from (spandrel, MONAI, kornia, transformers,
vit-pytorch, torchaudio): networks for pictures and sound that the corpus had not, cut to a few megabytes,
before one of them was exported or converted. All that can be exported (54 of 63) were judged
on the same day, and are in the fit half since."""


FIFTH = frozenset(
    (
        *("deepseek_vit", "gemma4_vit", "qwen3_vit", "hieradet", "naflexvit", "airnext", "danet"),
        *("icnet", "isqrtcovresnet", "ntsnet", "pfpcnet", "preresnet", "propainter", "raft"),
        *("resdropresnet", "revnet", "segnet", "shakedropresnet", "voca", "visemenet", "nvpattexp"),
        *("wrn", "wrn1bit", "senet", "s3d", "upernet", "yolo_v10", "yolo_v3", "yolo_v26", "yoloe"),
    )
)
"""Families that were written down on 27 November 2026, after the fourth set was judged and before one of them
was exported or converted: all that is left of timm, pytorchcv, torchvision, segmentation-models and
ultralytics, by family, with a network of at most 50 million weights (cut to fewer where its constructor lets
it), but those that go by another family's name (ResNeSt-A, PreResNet's siblings, data sets' variants) and
detectors that take lists of pictures. The 19 that can be exported were judged on the same day, and are in the
fit half since."""


SIXTH = frozenset(
    (
        *("osnet", "hacnn", "mlfn", "pnet", "rnet", "onet", "s3fd", "blazeface", "fan", "parsenet", "modnet"),
        *("retinaface", "mobilefacenet", "arcface", "edsr", "msrn", "a2n", "awsrn", "carn", "mdsr", "drln"),
        *("han", "dualregression", "ddbpn", "pixel_attention", "srcnn", "vdsr", "espcn", "srresnet", "ecbsr"),
        *("ridnet", "duf", "spynet", "toflow", "yolox", "efficientdet", "dbnet", "fast", "crnn", "vitstr"),
        *("parseq", "viptr", "magc_resnet", "lw_detr", "tablecenternet", "craft", "u2net", "fba", "phinet"),
        *("xinet", "xunet", "axial_transformer", "cnniqa", "wadiqam", "topiq", "musiq", "van", "hornet"),
        *("riformer", "conformer", "vig", "revvit", "alexnet", "vgg", "lenet", "bisenetv2", "stdc", "ddrnet"),
        *("pidnet", "segnext", "segmenter", "ocrnet", "gcnet", "dmnet", "apcnet", "isanet", "nonlocal"),
        *("dnlnet", "emanet", "annnet", "encnet", "fastfcn", "knet", "x3d", "csn", "crepe", "demucs"),
        *("sudormrf", "dprnn", "dptnet", "dcunet", "lstm_tasnet", "fasnet", "demask", "ecapa", "xvector"),
        *("contextnet_asr", "crdnn", "hifigan", "sepformer", "enhance_resnet", "inceptiontime", "rescnn"),
        *("omniscale", "xceptiontime", "xcm", "tst", "tcn", "fcn1d", "lstm_fcn", "tssequencer", "convtran"),
        *("patchtst", "tsperceiver"),
    )
)
"""Families that were written down on 27 November 2026, after the fifth set was judged and before one of
them was exported or converted: the architectures that 33 more packages build from code with random weights
(those in `requirements.txt` from torchreid on, and nine that have nothing new), and that were no family of
`networks.tsv` under any name. Their lists were read by hand: some may have been overlooked, none was left
out for what it becomes. One network each:

- The smallest of the sizes that the package names, of at most 50 million weights. A head for segmentation
  whose encoder is free stands on ResNet-18, as mmsegmentation sets it up for PSPNet.
- The package's own input size. Where that is free: pictures 224x224 for a class, 256x256 for a map or
  boxes, 64x64 to be restored or enlarged (by two, where that is free too); half a second or one of sound,
  64 or 200 frames, or 128 steps of 3 series.
- Floats in, as in the other sets.

Left out are siblings of families above and of one another: known backbones with a layer more (PCB, HopeNet,
NIMA, ARNIQA), FaceNet's Inception-ResNet, nnU-Net from a second package, 3-D ResNets, ResNets for series,
PhysicsSR (EDSR three times), mWDN (InceptionTime behind wavelets), and all of geffnet and pretrainedmodels.
Larger than the bound are MuDeep, BASNet, Tracer, CascadePSP, SAR, MASTER, PieAPP, TReS, MANIQA, RepLKNet,
RepMLP, MixMIM, SETR, CNN14 and SEGAN. Of others the package fetches weights (HyperIQA, DBCNN, LPIPS,
PoseNet), brings its own (Resemblyzer), needs compiled operators (CCNet, PSANet, PointRend, EDVR,
StyleGAN2), or fails in torch itself (SMSR, RNAN, HiViT, DCCRNet); LIIF, JIIF, MASA, SlowFast and CKDN take
more than the tensors of one picture."""


SEVENTH = frozenset(
    (
        *("retinanet", "fcos", "gfl", "foveabox", "yolof", "solo", "solov2", "ssd", "ssdlite", "rtmdet"),
        *("ppyoloe", "yolo_v7", "psenet", "panet", "fcenet", "textsnake", "svtr", "abinet", "hourglass"),
        *("cpm", "mspn", "rsn", "vipnas", "litehrnet", "hrformer", "rtmo", "rtmpose", "simcc", "dsnt"),
        *("simple_baseline", "videopose3d", "motionbert", "tsm", "trn", "r2plus1d", "uniformer", "stgcn"),
        *("agcn", "stgcnpp", "dat", "dctlsa", "ditn", "fdat", "fftformer", "hat", "moesr", "seemore"),
        *("swin2sr", "uformer", "grl", "restoreformer", "gfpgan", "keynet", "dedode", "unetr", "swin_unetr"),
        *("ahnet", "regunet", "autoencoderkl", "vqvae", "openunmix", "ge2e", "snac", "vocos", "pesto"),
        *("beat_this", "bs_roformer", "itransformer", "tsmixer", "nbeats", "campplus", "eres2net", "fsmn"),
        *("frcrn", "perceiver", "pyconv", "asr_conformer", "branchformer", "rvt", "regionvit", "deepvit"),
        *("lstm_attention", "tsit", "depth_anything", "zoedepth", "conditional_detr", "dab_detr"),
        *("maskformer", "mgp_str", "videomae", "vjepa2", "groupvit", "efficientloftr", "slanet", "eomt"),
        *("bert", "mobilebert", "squeezebert", "deberta_v2", "fnet", "convbert", "nystromformer"),
        *("modernbert", "t5", "wavlm", "sew_d", "wav2vec2_conformer", "wav2vec2_bert", "encodec"),
        *("clap_audio", "parakeet", "patchtsmixer", "yolo_nas", "pp_liteseg", "regseg", "shelfnet"),
    )
)
"""Families that were written down on 28 November 2026, after the sixth set was judged and before one of them
was exported or converted. They are meant to be what somebody with a board runs, by task: detectors and what
reads or finds text, key points and what is made of them, video and skeletons, restoration and faces, maps,
depth, speakers and speech, short texts, series. They come from the detectors, poses and videos of OpenMMLab
(mmdet, mmyolo, mmocr, mmpose, mmaction2), what is left of spandrel, kornia, MONAI, vit-pytorch, tsai and
speechbrain, 15 smaller packages, and 29 architectures of transformers. Their lists were
read by hand; constructors were run in torch to see that a line is right, and nothing else was known of a
network when it was taken. One network each:

- Of at most 35 million weights: the smallest size that its package names, with ResNet-18 where a backbone is
  free, and two to four layers where those of transformers are.
- Pictures of 256x256 for boxes, points and maps, 64x64 to be restored or enlarged by two, the package's own
  size elsewhere, less where it is large; up to one second of sound, 96 steps of 7 series, 64 words.
- Floats in, as in the other sets: a text comes as its embeddings.

Left out are siblings of families above and of one another (ATSS, PAA, AutoAssign and FSAF are FCOS and
RetinaNet trained otherwise; DistilBERT, I-BERT and Electra are BERT; DINOv2, SigLIP, IJEPA and ViViT are ViT;
HuBERT is wav2vec 2.0; DBNet++ is DBNet), whatever samples at positions that it computes (Deformable DETR,
D-FINE, RT-DETRv2, Mask2Former, Grounding DINO, TOOD, VarifocalNet, DEKR, TIN, ALIKED: the exporter's opset 13
has no operator for that), what takes more than tensors (SATRN, NRTR, RobustScanner, YOLACT, CondInst, SPIGA,
LightGlue), Hybrid Demucs (complex numbers), larger ones (C3D, YOLOv4, TridentNet, LaMa, Sapiens2), those that
fail in torch itself (IPT, LocalViT, UNet 3+), and two whose packages ask for others that are not installed
beside the rest (PyanNet, FCNF0). PaddlePaddle and Keras have exporters of their own: not in this list.

112 of the 116 can be exported. FFTformer, FNet and BS-RoFormer take spectra, and ShelfNet pools by a size
that it computes. Before any conversion, as the exports showed, RTMO was put in its deployed form, the mask of
Nystromformer became an input, and SLANet was cut to 30 of its 500 steps."""


HELD_BACK: frozenset[str] = frozenset()
"""Families that are held back today: nobody looks at their conversions before they are judged."""


def was_held_back(family: str) -> bool:
    """Return whether a family was held back once, has been judged and is spent."""
    if family in MEASURED_BEFORE or family in HELD_BACK or family == SYNTHETIC:
        return False
    named = family in SECOND | THIRD | FOURTH | FIFTH | SIXTH | SEVENTH
    return named or hashlib.sha256(family.encode()).digest()[0] < HELD_BACK_BELOW


def half_of(family: str) -> Half:
    """Return the half of a family: the first seven sets have been judged by now."""
    return "held_back" if family in HELD_BACK else "fit"
