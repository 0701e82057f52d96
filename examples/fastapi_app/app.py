"""A web application that answers at once and leaves the work to a worker."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from forebay import NotAllSent, QueueError, aenqueue_many
from pictures import Pixels, thumbnail

app = FastAPI()


class Picture(BaseModel):
    """A picture that has been uploaded."""

    key: str
    width: Pixels = 320


class Album(BaseModel):
    """Many of them."""

    keys: list[str]


@app.post("/pictures", status_code=202)
async def add_picture(picture: Picture) -> dict[str, str]:
    """Send one job. The event loop goes on meanwhile."""
    return {"job": await thumbnail.aenqueue(key=picture.key, width=picture.width)}


@app.post("/albums", status_code=202)
async def add_album(album: Album) -> dict[str, list[str]]:
    """Send one job for each picture, ten in a request."""
    return {"jobs": await aenqueue_many(thumbnail.call(key=key) for key in album.keys)}


@app.exception_handler(NotAllSent)
async def some_not_sent(_: Request, error: NotAllSent) -> JSONResponse:
    """Say which jobs were not taken, so that the client sends those again and no others."""
    return JSONResponse({"not_sent": [failure.index for failure in error.failures]}, status_code=503)


@app.exception_handler(QueueError)
async def queue_in_trouble(_: Request, error: QueueError) -> JSONResponse:
    """SQS has not taken the job, after several tries."""
    return JSONResponse({"detail": f"the queue takes no jobs now ({error.fault.code})"}, status_code=503)
