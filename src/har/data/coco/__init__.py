"""COCO key-point JSON of any skeleton: what annotation tools export, with its irregularities."""
